package demo

import (
	"net/http"
	"strings"
	"time"
)

// account is a person who may sign in.
type account struct {
	user     string
	alias    string // a mail address that may be typed instead
	password string
}

// accounts are printed on the login page: this is a demo.
func accounts() []account {
	return []account{
		{user: "alice", alias: "alice@example.com", password: "alice-demo"},
		{user: "bob", password: "bob-demo"},
	}
}

// authenticate returns the account's own name, whatever name was typed for it.
func authenticate(typed, password string) (string, bool) {
	for _, a := range accounts() {
		if typed != "" && (typed == a.user || typed == a.alias) {
			return a.user, same(password, a.password)
		}
	}
	return "", false
}

// loginView is what the login page shows.
type loginView struct {
	User, Next, Error string
}

func (c *console) loginPage(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, ok := c.current(r); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.render(w, http.StatusOK, "login", loginView{Next: next})
}

// login opens a session under a new token; the browser's old one, if any, ends.
// A failure sets no cookie and leaves an existing session alone.
func (c *console) login(w http.ResponseWriter, r *http.Request) {
	typed, next := r.PostFormValue("user"), localPath(r.PostFormValue("next"))
	user, ok := authenticate(typed, r.PostFormValue("password"))
	if !ok {
		view := loginView{User: typed, Next: next, Error: "The user name or the password is wrong."}
		c.render(w, http.StatusUnauthorized, "login", view)
		return
	}
	if old, ok := c.current(r); ok {
		c.sessions.end(old.token)
	}
	http.SetCookie(w, c.startSession(user, r.PostFormValue("remember") != ""))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// startSession returns the cookie of a new session; only one that is to be
// remembered outlives the browser.
func (c *console) startSession(user string, remember bool) *http.Cookie {
	life, maxAge := sessionLife, 0
	if remember {
		life, maxAge = rememberLife, int(rememberLife/time.Second)
	}
	s := c.sessions.start(user, life)
	return sessionCookie(s.token, maxAge)
}

func (c *console) logout(w http.ResponseWriter, r *http.Request) {
	if s, ok := c.current(r); ok {
		c.sessions.end(s.token)
	}
	http.SetCookie(w, sessionCookie("", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func sessionCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// localPath lets a login lead to this console's own pages only. Browsers read a
// second slash or a backslash as the start of a host, and drop control bytes.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return "/"
	}
	if strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }) {
		return "/"
	}
	return next
}
