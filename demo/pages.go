package demo

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// maxLabel is how long a key's label may be.
const maxLabel = 60

// view is what every page behind the login shows.
type view struct {
	Page   string
	User   string
	CSRF   string
	Notice notice
	Keys   []accessKey
	Key    accessKey // the one that is about to be deleted
	Error  string
}

func newView(page string, s session) view {
	return view{Page: page, User: s.user, CSRF: s.csrf}
}

// parsePages reads the embedded pages; a broken one cannot be built into a
// program whose tests passed.
func parsePages() map[string]*template.Template {
	pages := make(map[string]*template.Template)
	for _, name := range []string{"login", "overview", "keys", "confirm", "error"} {
		pages[name] = template.Must(template.ParseFS(files, "pages/layout.html", "pages/"+name+".html"))
	}
	return pages
}

// render builds the whole page before it sends the first byte.
func (c *console) render(w http.ResponseWriter, status int, page string, data any) {
	var b bytes.Buffer
	if err := c.pages[page].ExecuteTemplate(&b, "layout", data); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (c *console) fail(w http.ResponseWriter, s session, status int, message string) {
	v := newView("error", s)
	v.Error = message
	c.render(w, status, "error", v)
}

func (c *console) overview(w http.ResponseWriter, _ *http.Request, s session) {
	v := newView("overview", s)
	v.Keys = c.keys.list(s.user)
	c.render(w, http.StatusOK, "overview", v)
}

func (c *console) keysPage(w http.ResponseWriter, _ *http.Request, s session) {
	v := newView("keys", s)
	v.Keys, v.Notice = c.keys.list(s.user), c.sessions.takeNotice(s.token)
	c.render(w, http.StatusOK, "keys", v)
}

func (c *console) createKey(w http.ResponseWriter, r *http.Request, s session) {
	label := strings.TrimSpace(r.PostFormValue("label"))
	if label == "" || len(label) > maxLabel {
		c.fail(w, s, http.StatusBadRequest, fmt.Sprintf("A key needs a label of at most %d bytes.", maxLabel))
		return
	}
	k, secret, err := c.keys.create(s.user, label)
	if err != nil {
		c.fail(w, s, http.StatusConflict, "The key was not created: "+err.Error()+".")
		return
	}
	c.sessions.tell(s.token, notice{Text: "Created " + k.ID + " (" + k.Label + ").", Secret: secret})
	http.Redirect(w, r, "/keys", http.StatusSeeOther)
}

// deleteKeyByForm asks first and deletes when the form says confirm=yes.
func (c *console) deleteKeyByForm(w http.ResponseWriter, r *http.Request, s session) {
	k, ok := c.keys.find(s.user, r.PostFormValue("id"))
	if !ok {
		c.fail(w, s, http.StatusNotFound, "You have no such key. It may have been deleted already.")
		return
	}
	if r.PostFormValue("confirm") != "yes" {
		v := newView("keys", s)
		v.Key = k
		c.render(w, http.StatusOK, "confirm", v)
		return
	}
	c.keys.remove(s.user, k.ID)
	c.sessions.tell(s.token, notice{Text: "Deleted " + k.ID + " (" + k.Label + ")."})
	http.Redirect(w, r, "/keys", http.StatusSeeOther)
}
