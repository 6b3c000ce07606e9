package demo

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"time"
)

// eventsLife ends each stream; the page's EventSource comes back by itself.
const eventsLife = time.Minute

// problem is every error of the API.
type problem struct {
	Error string `json:"error"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// whoami says in the console's own word who is signed in.
func whoami(w http.ResponseWriter, _ *http.Request, s session) {
	writeJSON(w, http.StatusOK, map[string]string{"user": s.user})
}

func (c *console) listKeys(w http.ResponseWriter, _ *http.Request, s session) {
	writeJSON(w, http.StatusOK, c.keys.list(s.user))
}

// deleteKeyByFetch asks for JSON, which another origin's page cannot send
// without asking this one first: that is the API's defense against CSRF.
func (c *console) deleteKeyByFetch(w http.ResponseWriter, r *http.Request, s session) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		writeJSON(w, http.StatusUnsupportedMediaType, problem{"send JSON"})
		return
	}
	var body struct{ Confirm string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Confirm != "yes" {
		writeJSON(w, http.StatusBadRequest, problem{`send {"confirm":"yes"}`})
		return
	}
	if !c.keys.remove(s.user, r.PathValue("id")) {
		writeJSON(w, http.StatusNotFound, problem{"no such key"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"deleted": r.PathValue("id")})
}

// events streams the live load, one event a second, until the client leaves,
// the session ends or a minute has passed.
func (c *console) events(w http.ResponseWriter, r *http.Request, s session) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(eventsLife); time.Now().Before(end); {
		if _, ok := c.sessions.find(s.token); !ok {
			return
		}
		fmt.Fprintf(w, "data: %s\n\n", load(time.Now()))
		if stream.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// load makes up a plausible number of requests a second.
func load(now time.Time) string {
	wave := now.Unix() * 37 % 60
	return fmt.Sprintf(`{"time":%q,"requests":%d}`, now.UTC().Format(time.TimeOnly), 240+wave)
}
