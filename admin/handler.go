package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// routes are all that can be asked for.
var routes = map[string]endpoint{
	"GET /v1/users":                    look((*Service).Users),
	"GET /v1/users/show":               look((*Service).Show),
	"GET /v1/requests":                 look((*Service).Requests),
	"POST /v1/users":                   change((*Service).CreateUser),
	"POST /v1/users/link":              change((*Service).RenewLink),
	"POST /v1/users/contact":           change((*Service).FileContact),
	"POST /v1/users/reset":             change((*Service).ResetFactors),
	"POST /v1/users/ticket":            change((*Service).IssueTicket),
	"POST /v1/users/lock":              change((*Service).Lock),
	"POST /v1/users/unlock":            change((*Service).Unlock),
	"POST /v1/users/end-sessions":      change((*Service).EndSessions),
	"POST /v1/users/require-rebinding": change((*Service).RequireRebinding),
	"POST /v1/requests/approve":        change((*Service).Approve),
	"POST /v1/requests/refuse":         change((*Service).Refuse),
}

// endpoint does what a request of a caller asks for.
type endpoint func(s *Service, by Caller, r *http.Request) (any, error)

// look reads what to look for from the query.
func look[In, Out any](do func(*Service, context.Context, In) (Out, error)) endpoint {
	return func(s *Service, _ Caller, r *http.Request) (any, error) {
		var in In
		if err := readQuery(r.URL.RawQuery, &in); err != nil {
			return nil, err
		}
		return do(s, r.Context(), in)
	}
}

// changeTimeout bounds a change, which goes on if who asked for it does not
// wait: half a change is worse.
const changeTimeout = 10 * time.Second

// change reads what to do from the body.
func change[In, Out any](do func(*Service, context.Context, Caller, In) (Out, error)) endpoint {
	return func(s *Service, by Caller, r *http.Request) (any, error) {
		var in In
		if err := readBody(r, &in); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), changeTimeout)
		defer cancel()
		return do(s, ctx, by, in)
	}
}

var errMalformed = errors.New("this cannot be read")

// readQuery reads each word of a query, which stands once.
func readQuery(query string, into any) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	words := make(map[string]Name)
	for word, all := range values {
		if len(all) != 1 {
			return fmt.Errorf("%w: %s stands twice", errMalformed, word)
		}
		words[word] = Name(all[0])
	}
	text, err := json.Marshal(words)
	if err != nil {
		return err
	}
	return readJSON(text, into)
}

// maxBody is the largest request, in bytes.
const maxBody = 64 << 10

func readBody(r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fmt.Errorf("%w: send it as application/json", errMalformed)
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(text) > maxBody {
		return fmt.Errorf("%w: its body is cut off, or longer than %d bytes", errMalformed, maxBody)
	}
	return readJSON(text, into)
}

func readJSON(text []byte, into any) error {
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	err := in.Decode(into)
	if err == nil && in.More() {
		err = errors.New("something follows")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	return nil
}

// handler serves one caller with the service of the day.
func handler(s *Service, by Caller) http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			result, err := do(s, by, r)
			answer(w, result, err)
		})
	}
	mux.HandleFunc("GET "+backupPath, func(w http.ResponseWriter, r *http.Request) { s.sendBackup(w, r, by) })
	return mux
}

// problem is RFC 9457, for people at a terminal.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
}

func answer(w http.ResponseWriter, result any, err error) {
	if err != nil {
		refuse(w, status(err), err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // there may be a ticket in it
	_ = json.NewEncoder(w).Encode(result)       // a client that went away needs no answer
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{err.Error(), status})
}

// statuses are what refusals are in HTTP. Everything else is a store that
// cannot tell.
var statuses = map[error]int{
	errMalformed: http.StatusBadRequest, ErrName: http.StatusBadRequest, ErrWhy: http.StatusBadRequest, ErrContact: http.StatusBadRequest,
	ErrRealm: http.StatusNotFound, ErrNoRealm: http.StatusNotFound, ErrNobody: http.StatusNotFound, ErrUnseen: http.StatusNotFound,
	ErrNoFactor: http.StatusNotFound, ErrNoSession: http.StatusNotFound, ErrNoRequest: http.StatusNotFound,
	ErrExists: http.StatusConflict, ErrNeverBound: http.StatusConflict, ErrDecided: http.StatusConflict, ErrTheirOwn: http.StatusConflict, ErrShared: http.StatusConflict,
	ErrTooSoon: http.StatusTooManyRequests,
}

func status(err error) int {
	for is, status := range statuses {
		if errors.Is(err, is) {
			return status
		}
	}
	return http.StatusServiceUnavailable
}
