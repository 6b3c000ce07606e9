package gateway_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
)

var discard = slog.New(slog.DiscardHandler)

func dial(t testing.TB, r *rig) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	check(t, err)
	check(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

// scanTrail fails if the audit trail holds a credential, a password or a key.
func scanTrail(t testing.TB, r *rig, also ...string) {
	t.Helper()
	all, err := json.Marshal(r.trail())
	check(t, err)
	for _, mark := range append(also, secret, "pw-") {
		if i := strings.Index(string(all), mark); i >= 0 {
			t.Errorf("the trail holds %q: %s", mark, all[max(0, i-200):min(len(all), i+50)])
		}
	}
}

// TestRule1EveryFaultDenies: whatever method of whatever store fails or hangs,
// the answer is 503 within about two seconds, nothing reaches the console that
// should not, and nobody passes.
func TestRule1EveryFaultDenies(t *testing.T) {
	r := newRig(t)
	key := r.bind("alice")
	// All calls of one request share one deadline: a few stand for the rest.
	hangs := []string{"sessions.Create", "sessions.End", "accounts.AdvanceStep", "challenges.Find", "sessions.Find"}
	for _, hang := range []bool{false, true} {
		left := func(method string) bool { return hang && !slices.Contains(hangs, method) }
		for _, method := range []string{"sessions.Create", "accounts.Account", "accounts.Browser", "challenges.Create", "escrows.Put", "trail.Append"} {
			if left(method) {
				continue
			}
			b := r.verifiedAgain(key)
			r.sleep(6 * time.Minute)
			r.console.got()
			r.failing(t, method, hang, func() *reply { return b.password("alice") })
			if got := b.user(); got != "-" {
				t.Errorf("%s, hang %v: a login shows %q", method, hang, got)
			}
			b.clean(method)
		}
		for _, method := range []string{"sessions.End", "trail.Append"} {
			if left(method) {
				continue
			}
			b := r.verifiedAgain(key)
			r.console.got()
			r.failing(t, method, hang, func() *reply { return b.password("alice") })
			r.nothingReached(t, method+" at the next login")
		}
		for _, method := range []string{"challenges.Find", "challenges.Attempt", "accounts.Account", "accounts.AdvanceStep", "accounts.SpendID",
			"budgets.Charge", "budgets.Refund", "sessions.Replace", "accounts.KnowBrowser", "trail.Append"} {
			if left(method) {
				continue
			}
			b := r.browser()
			r.sleep(3 * time.Hour) // the budget refills
			b.password("alice")
			id, once := b.formID(), code(t, key, r.clock())
			r.console.got()
			r.failing(t, method, hang, func() *reply { return b.answer(id, "code="+once) })
			r.nothingReached(t, method)
			if got := b.user(); got != "-" {
				t.Errorf("%s, hang %v: the code shows %q", method, hang, got)
			}
			if spent := method != "challenges.Find" && method != "challenges.Attempt" && method != "accounts.Account" && method != "accounts.AdvanceStep" && method != "budgets.Charge"; spent {
				c := r.browser()
				c.password("alice")
				if a := c.answer(c.formID(), "code="+once); a.StatusCode == http.StatusSeeOther {
					t.Errorf("%s, hang %v: the code passes a second time", method, hang)
				}
			}
			b.clean(method)
		}
		for _, method := range []string{"sessions.Find", "accounts.Ended"} {
			b := r.verifiedAgain(key)
			fresh := b.copy()
			r.forgetNear()
			r.console.got()
			r.failing(t, method, hang, func() *reply { return fresh.get("/private") })
			r.nothingReached(t, method)
			if got := b.user(); got != "alice" {
				t.Errorf("after the fault of %s %q is signed in", method, got)
			}
		}
	}
}

// failing sends a request while a method fails.
func (r *rig) failing(t *testing.T, method string, hang bool, send func() *reply) {
	t.Helper()
	r.faults.set(method, hang)
	defer r.faults.set("", false)
	began := time.Now()
	a := send()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s, hang %v: %d after %d calls", method, hang, a.StatusCode, r.faults.count(method))
	}
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("%s, hang %v: the denial took %v", method, hang, took)
	}
}

func (r *rig) nothingReached(t *testing.T, what string) {
	t.Helper()
	if seen := r.console.got(); len(seen) > 0 {
		t.Errorf("%s: the console got %s", what, seen[0].RequestURI)
	}
}

// verifiedAgain is a browser in which alice passed.
func (r *rig) verifiedAgain(key string) *browser {
	r.t.Helper()
	r.sleep(3 * time.Hour)
	b := r.browser()
	b.signIn("alice", key)
	b.get("/public/x")
	b.wire.Reset()
	return b
}

// TestRule2TheConsoleNeverSeesOurPaths, in any spelling.
func TestRule2TheConsoleNeverSeesOurPaths(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.console.got()
	for _, uri := range []string{"/.stepgate", "/.stepgate/", "/.STEPGATE/challenge", "//.stepgate/x", "/%2estepgate/x", "/x/..%2f.stepgate/x", "/.stepgate;x/y",
		"/%252estepgate/x", "/.stepgate/assets/../../private", "/.stepgate/%2e%2e/private", "/.stepgate%2fchallenge"} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE"} {
			b.send(method, uri, "")
		}
	}
	r.nothingReached(t, "our paths")
}

func TestRule2WhatCannotBeARequestIs400(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.console.got()
	for _, uri := range []string{"/private%00", "/a%0d%0ab", "/%250aprivate", "/a%zz", "/%", "/a%2"} {
		if a := b.send("GET", uri, ""); a.StatusCode != 400 {
			t.Errorf("%s: %d", uri, a.StatusCode)
		}
	}
	r.nothingReached(t, "malformed requests")
}

func TestRule2RewrittenRequests(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for _, received := range []string{"/private", "/public/../private"} {
		u, err := url.ParseRequestURI(received)
		check(t, err)
		r.received.Store(u)
		b.fetch("/public/x")
		b.clean("received as " + received)
	}
}

func TestRule2OverriddenMethods(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for _, h := range []string{"X-HTTP-Method-Override: DELETE", "X_HTTP_Method_Override: DELETE", "X-HTTP-Method: PUT", "x-method-override: PATCH"} {
		b.fetch("/public/x", h)
		b.clean(h)
	}
	b.fetch("/public/x?_method=DELETE")
	b.fetch("/public/x?%5Fmethod=DELETE")
	b.clean("a field")
}

// TestRule4IdentityHeaders of a client never reach the console.
func TestRule4IdentityHeaders(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	r.console.got()
	for _, h := range []string{"Remote-User: bob", "remote_user: bob", "REMOTE.USER: bob", "Remote_Groups: admins", "Remote-Amr: mfa", "Remote-Auth-Time: 1",
		"X-Forwarded-User: bob", "X_Forwarded.User: bob", "X-WebAuth-User: bob", "X-Original-URL: /admin", "X_Rewrite_Url: /admin"} {
		for _, uri := range []string{"/private", "/public/x"} {
			b.fetch(uri, h, h)
			for _, q := range r.console.got() {
				for name, values := range q.Header {
					if all := strings.Join(values, " "); strings.Contains(all, "bob") || strings.Contains(all, "admin") || all == "mfa" {
						t.Errorf("%s: the console got %s: %s", h, name, all)
					}
				}
			}
		}
	}
	for _, h := range [][]string{{"Connection: close, Remote-User"}, {"Connection: close", "Connection: cookie"}, {"Transfer-Encoding: chunked", "Trailer: Remote-User", "Connection: close"},
		{"Transfer-Encoding: chunked", "Trailer: x, remote_user", "Connection: close"}} {
		body := ""
		if len(h) > 1 && strings.HasPrefix(h[0], "Transfer") {
			body = "0\r\nRemote-User: bob\r\n\r\n"
		}
		if a := b.send("POST", "/private", body, h...); a.StatusCode != 400 {
			t.Errorf("%v: %d", h, a.StatusCode)
		}
	}
	r.nothingReached(t, "an identity by another way")
}

// TestRule7TwoOwnCookiesAreNone, and are told, not guessed.
func TestRule7TwoOwnCookiesAreNone(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	own := b.jar["__Host-stepgate-wiki"]
	r.console.got()
	for _, more := range []string{"__Host-stepgate-wiki=x", "__Host-stepgate-wiki=" + own, "__Host-stepgate-wiki="} {
		if a := b.fetch("/private", "Cookie: "+more); a.StatusCode != 400 || strings.Contains(a.body, protected) {
			t.Errorf("%s: %d", more, a.StatusCode)
		}
	}
	r.nothingReached(t, "two own cookies")
	for _, forged := range []string{own[:len(own)-2] + "AA", own + "=", strings.ToUpper(own), strings.Repeat("A", 5000), "", `"` + own + `"`} {
		c := r.browser()
		c.jar["__Host-stepgate-wiki"], c.jar["auth"] = forged, b.jar["auth"]
		if got := c.user(); got != "-" {
			t.Errorf("a forged cookie shows %q", got)
		}
	}
}

// TestForgedCookiesCostNoLook at the store.
func TestForgedCookiesCostNoLook(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	r.faults.set("", false)
	for _, forged := range []string{"x", strings.Repeat("MTIz", 30), ""} {
		b.jar["__Host-stepgate-wiki"] = forged
		b.get("/private")
	}
	if n := r.faults.count("sessions.Find"); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

// TestTrailHoldsNoSecret, and each decision that asks, refuses or lets through
// is in it with its reason and reference.
func TestTrailHoldsNoSecret(t *testing.T) {
	r := newRig(t)
	b := r.verified("alice")
	c := r.browser()
	c.password("alice")
	wrong, right := b.wrong(b.login), code(t, b.login, r.clock().Add(30*time.Second))
	id := c.formID()
	c.answer(id, "code="+wrong)
	r.sleep(30 * time.Second)
	c.answer(id, "code="+right)
	e := r.browser()
	e.password("eve")
	key := shownKey(e.get("/.stepgate/challenge").body)
	e.answer(e.formID(), "code1="+wrong+"&code2="+wrong)
	e.post("/.stepgate/cancel", "challenge="+escape(e.formID()))
	b.get("/logout")
	c.post("/login", "u=alice&u=bob")
	scanTrail(t, r, wrong, right, key, b.login, id, c.jar["__Host-stepgate-wiki"])
	seen := map[audit.Event]bool{}
	for _, rec := range r.trail() {
		seen[rec.Event] = true
		if len(rec.Reasons) == 0 || rec.Site != "wiki" || rec.Address == "" {
			t.Errorf("%+v", rec)
		}
		if rec.Reference == "" && rec.Event != audit.SessionEnded && rec.Event != audit.RequestRefused && rec.Event != audit.LoginRefused {
			t.Errorf("no reference: %+v", rec)
		}
	}
	for _, want := range []audit.Event{audit.ChallengeAsked, audit.ChallengePassed, audit.ChallengeFailed, audit.BindingFailed, audit.ChallengeLeft, audit.SessionEnded} {
		if !seen[want] {
			t.Errorf("%s is not in the trail", want)
		}
	}
}

func escape(s string) string { return url.QueryEscape(s) }
