package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stepgate/stepgate/match"
)

// console is the upstream: it notes what reaches it.
type console struct {
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
	handle http.HandlerFunc // nil: the wiki
	fail   error            // what the proxy says instead of an answer
	wiki   phpWiki
}

func (c *console) next(w http.ResponseWriter, r *http.Request) error {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := r.Clone(context.Background())
	c.mu.Lock()
	c.seen, c.bodies = append(c.seen, seen), append(c.bodies, string(body))
	handle, fail := c.handle, c.fail
	c.mu.Unlock()
	if fail != nil {
		return fail
	}
	if handle == nil {
		handle = c.wiki.ServeHTTP
	}
	handle(w, r)
	return nil
}

func (c *console) answers(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handle = h
}

// got is what reached the console since the last call.
func (c *console) got() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen, c.bodies = nil, nil
	return seen
}

// phpWiki logs in on any address with u and p, knows its cookie under every
// name that PHP folds, and shows its content to anybody.
type phpWiki struct{ logins atomic.Int64 }

func (p *phpWiki) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	name := r.FormValue("u")
	switch {
	case r.URL.Path == "/logout":
		w.Header().Add("Set-Cookie", "auth=deleted; Path=/; Max-Age=0")
		http.Redirect(w, r, "/login", http.StatusFound)
	case name != "" && r.FormValue("p") == "pw-"+name:
		w.Header().Add("Set-Cookie", p.cookie(name)+"; Path=/; HttpOnly")
		w.Header().Add("Set-Cookie", "theme=dark; Path=/")
		http.Redirect(w, r, "/home?id=start", http.StatusFound)
	case name != "":
		w.Header().Add("Set-Cookie", "auth=deleted; Path=/; Max-Age=0")
		http.Error(w, "wrong user name or password", http.StatusForbidden)
	default:
		w.Header().Set("Cache-Control", "public, max-age=600, s-maxage=60")
		_, _ = fmt.Fprintf(w, "%s %s for %q", protected, r.URL.Path, phpUser(r))
	}
}

func (p *phpWiki) cookie(name string) string {
	return fmt.Sprintf("auth=%s.%s-%s-%d", name, secret, name, p.logins.Add(1))
}

// phpUser is whom the wiki takes a request for.
func phpUser(r *http.Request) string {
	for _, line := range r.Header["Cookie"] {
		for _, pair := range strings.FieldsFunc(line, func(c rune) bool { return c == ';' || c == ',' }) {
			name, value, _ := strings.Cut(pair, "=")
			if user, rest, ok := strings.Cut(value, "."); strings.EqualFold(match.FoldName(name), "auth") && ok && strings.HasPrefix(rest, secret) {
				return user
			}
		}
	}
	if user, ok := strings.CutPrefix(r.Header.Get("X-Api-Token"), secret+"-"); ok {
		return user
	}
	return ""
}
