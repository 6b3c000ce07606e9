// Package demo is a stand-in for the consoles that Stepgate protects: a small
// cloud console of a fictional company, with a login form, sessions and access
// keys of its own and no second factor. It knows nothing of Stepgate, so what
// works in front of it needed no change to a console's code.
//
// Accounts are alice/alice-demo, who may also type alice@example.com, and
// bob/bob-demo. Everything lives in memory and is gone with the process.
package demo

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed pages assets
var files embed.FS

// maxForm bounds what the console reads of a request's body.
const maxForm = 64 << 10

// console is one running demo console.
type console struct {
	sessions *sessionTable
	keys     *keyStore
	pages    map[string]*template.Template
}

// NewConsole returns a console with its demo accounts, their first access keys
// and nobody signed in.
func NewConsole() http.Handler {
	c := &console{sessions: newSessionTable(), keys: newKeyStore(), pages: parsePages()}
	return guard(c.routes())
}

func (c *console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", c.loginPage)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
	mux.HandleFunc("GET /{$}", c.forPage(c.overview))
	mux.HandleFunc("GET /keys", c.forPage(c.keysPage))
	mux.HandleFunc("POST /keys", c.forForm(c.createKey))
	mux.HandleFunc("POST /keys/delete", c.forForm(c.deleteKeyByForm))
	mux.HandleFunc("GET /api/keys", c.forAPI(c.listKeys))
	mux.HandleFunc("DELETE /api/keys/{id}", c.forAPI(c.deleteKeyByFetch))
	mux.HandleFunc("GET /whoami", c.forAPI(whoami))
	mux.HandleFunc("GET /events", c.forAPI(c.events))
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /style.css", asset("style.css"))
	mux.Handle("GET /console.js", asset("console.js"))
	mux.Handle("GET /icon.svg", asset("icon.svg"))
	return mux
}

// guard sets what all answers share and bounds what is read.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// signedIn is a handler that runs only for a person with a live session.
type signedIn func(http.ResponseWriter, *http.Request, session)

// forPage sends strangers to the login form, and from there back to the page.
func (c *console) forPage(h signedIn) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, ok := c.current(r)
		if !ok {
			http.Redirect(w, r, loginURL(r), http.StatusSeeOther)
			return
		}
		h(w, r, s)
	}
}

// forForm is forPage for what changes something: the form must carry the
// session's own CSRF token.
func (c *console) forForm(h signedIn) http.HandlerFunc {
	return c.forPage(func(w http.ResponseWriter, r *http.Request, s session) {
		if !same(r.PostFormValue("csrf"), s.csrf) {
			c.fail(w, s, http.StatusForbidden, "This form has expired. Reload the page and try again.")
			return
		}
		h(w, r, s)
	})
}

// forAPI tells strangers in JSON: a script cannot use a login form.
func (c *console) forAPI(h signedIn) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, ok := c.current(r)
		if !ok {
			writeJSON(w, http.StatusUnauthorized, problem{"not signed in"})
			return
		}
		h(w, r, s)
	}
}

// current finds the session that the request's cookie names.
func (c *console) current(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return session{}, false
	}
	return c.sessions.find(cookie.Value)
}

// loginURL leads back to the wanted page; a form that was lost is not repeated.
func loginURL(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" {
		return "/login"
	}
	return "/login?next=" + url.QueryEscape(r.URL.RequestURI())
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok"))
}

// asset serves one embedded file that every visitor may see.
func asset(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		http.ServeFileFS(w, r, files, "assets/"+name)
	})
}
