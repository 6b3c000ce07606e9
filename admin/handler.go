package admin

import (
	"encoding/json"
	"errors"
	"net/http"
)

// The paths of the interface.
const (
	usersPath = "/v1/users"
	linkPath  = "/v1/users/link"
)

// person is whom a request is about.
type person struct {
	Realm string `json:"realm"`
	Name  string `json:"name"`
}

// problem is RFC 9457, for people at a terminal.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
}

// maxBody is the largest request, in bytes.
const maxBody = 64 << 10

// routes serves one request of a caller with the service of the day.
func routes(s *Service, by Caller) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+usersPath, func(w http.ResponseWriter, r *http.Request) {
		about(w, r, func(p person) (any, error) { return s.CreateUser(r.Context(), by, p.Realm, p.Name) })
	})
	mux.HandleFunc("POST "+linkPath, func(w http.ResponseWriter, r *http.Request) {
		about(w, r, func(p person) (any, error) { return s.RenewLink(r.Context(), by, p.Realm, p.Name) })
	})
	mux.HandleFunc("GET "+usersPath, func(w http.ResponseWriter, r *http.Request) {
		users, err := s.Users(r.Context(), r.URL.Query().Get("realm"))
		answer(w, users, err)
	})
	return mux
}

// about reads whom a request is about.
func about(w http.ResponseWriter, r *http.Request, do func(person) (any, error)) {
	var p person
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	in.DisallowUnknownFields()
	if err := in.Decode(&p); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	result, err := do(p)
	answer(w, result, err)
}

func answer(w http.ResponseWriter, result any, err error) {
	if err != nil {
		refuse(w, status(err), err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // a client that went away needs no answer
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{err.Error(), status})
}

func status(err error) int {
	for is, status := range map[error]int{ErrName: http.StatusBadRequest, ErrRealm: http.StatusNotFound, ErrNobody: http.StatusNotFound,
		ErrExists: http.StatusConflict, ErrTooSoon: http.StatusTooManyRequests} {
		if errors.Is(err, is) {
			return status
		}
	}
	return http.StatusServiceUnavailable
}
