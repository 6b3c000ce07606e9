package presetcheck

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stepgate/stepgate/match"
)

// exit is a request that signs out.
type exit struct {
	method, target, body string
}

// leave signs out, and looks whether the gateway would notice and whether the
// console forgets the session. d is nil if no protected page is known.
func (r *run) leave(ctx context.Context, done *login, d *door) {
	r.part("Signing out")
	for _, way := range r.exits(d) {
		if r.leaveBy(ctx, way, done, d) {
			return
		}
	}
	r.unclear("no way to sign out was found, so that the session of this check is still open in the console: sign out there, and name the way with --logout")
}

// exits are the ways to try: the one that was named, or those that the page
// offers, with the token that they need, and then the preset's.
func (r *run) exits(d *door) (ways []exit) {
	if r.Logout != "" {
		method, target, named := strings.Cut(r.Logout, " ")
		if !named {
			method, target = http.MethodGet, r.Logout
		}
		return []exit{{method: method, target: target}}
	}
	if d != nil {
		for _, way := range readPage(d.body).exits() {
			if target, err := r.client.local(way.target); err == nil {
				way.target = target
				ways = append(ways, way)
			}
		}
	}
	for _, m := range r.Console.Logout {
		method, target := address(m, http.MethodGet)
		ways = append(ways, exit{method: method, target: target})
	}
	return ways
}

// leaveBy is true if the way led out.
func (r *run) leaveBy(ctx context.Context, way exit, done *login, d *door) bool {
	request, err := r.typed(ctx, way.method, way.target, "application/x-www-form-urlencoded", cmp.Or(way.body, revoking(way, done)), done.jar)
	if err != nil {
		return false
	}
	r.client.carry(request.Header, done.person())
	q, err := match.Read(request, nil)
	if err != nil {
		return false
	}
	noticed := r.Console.Logout.Any(q)
	a, err := r.client.send(request)
	if err != nil || a.Status >= http.StatusBadRequest {
		return false
	}
	changes := r.Console.Changes(a.Header, time.Now())
	open := d != nil && r.opened(ctx, d, done.all())
	if !noticed && !changes.End() && open {
		return false // it only shows a page
	}
	r.answered(a, request.Method+" "+request.URL.Path+" ")
	r.judgeExit(noticed, changes.End(), open, d)
	return true
}

// revoking is the body of a call that ends a token, as RFC 7009, section 2.1
// has it.
func revoking(way exit, done *login) string {
	for _, c := range done.person() {
		if c.Cookie == "" && way.method == http.MethodPost {
			return url.Values{"token": {c.Value}}.Encode()
		}
	}
	return ""
}

func (r *run) judgeExit(named, deletes, open bool, d *door) {
	switch {
	case named:
		r.say("the gateway notices it: `logout` names it")
	case deletes:
		r.say("the gateway notices it: the answer deletes the session cookie")
	default:
		r.unclear("the gateway would not notice the sign-out: name it in `logout`")
	}
	switch {
	case d == nil:
		r.unclear("whether the console forgets the session at the sign-out: no protected page is known to try")
	case open:
		r.unclear("after the sign-out the old session still opens the page: behind the gateway its sealed cookies open nothing, but sessions of this check live on in the console until they expire")
	default:
		r.say("the old session opens nothing any more")
	}
}
