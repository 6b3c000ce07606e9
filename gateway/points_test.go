package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
)

func TestTheWholeWay(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	if a := b.get("/private?x=1"); a.StatusCode != 303 || a.Header.Get("Location") != "/login?return=%2Fprivate%3Fx%3D1" {
		t.Fatalf("without a session: %d %v", a.StatusCode, a.Header)
	}
	if a := b.password("alice"); a.StatusCode != 303 || a.Header.Get("Location") != "/.stepgate/challenge" {
		t.Fatalf("a first login: %d %v", a.StatusCode, a.Header)
	}
	shown := b.get("/.stepgate/challenge")
	key := shownKey(shown.body)
	one, two := code(t, key, r.clock()), code(t, key, r.clock().Add(30*time.Second))
	b.clean("before the pass")
	a := b.answer(challengeID.FindStringSubmatch(shown.body)[1], "code1="+one+"&code2="+two)
	if a.StatusCode != 303 || a.Header.Get("Location") != "/home?id=start" {
		t.Fatalf("after binding: %d %v %s", a.StatusCode, a.Header, a.body)
	}
	if got := b.user(); got != "alice" {
		t.Errorf("the console knows %q", got)
	}
	want := []audit.Event{audit.ChallengeAsked, audit.FactorBound}
	if got := r.events(); !slices.Equal(got, want) {
		t.Errorf("the trail is %v", got)
	}
	if b.jar["theme"] != "dark" {
		t.Error("the console's ordinary cookie is lost")
	}
}

// TestPoint1NothingIsReachable: an attacker with name and password of the
// victim, and with console cookies of the victim, sees nothing protected.
func TestPoint1NothingIsReachable(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	raw := "auth=alice." + secret + "-alice-1"
	b := r.browser()
	try := func(what string, send func() *reply) {
		t.Helper()
		send()
		b.clean(what)
		r.anonymous(what)
		b.wire.Reset()
	}
	headers := [][]string{nil, {"Cookie: " + raw}, {"Cookie: AUTH=alice." + secret}, {"Cookie: x=1, " + raw}, {"Cookie: a%75th=alice." + secret},
		{"Cookie: x=1," + raw}, {"Cookie: =" + raw}, {"Cookie: \xa0" + raw}, {"X-Api-Token: " + secret + "-alice"}, {"X_api_token: " + secret + "-alice"},
		{"Authorization: Basic " + secret}, {"Cookie: " + raw, "Cookie: " + raw}}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "CONNECT"} {
		for _, h := range headers {
			if method == "CONNECT" {
				continue
			}
			try(fmt.Sprint(method, h), func() *reply { return b.send(method, "/private", "", h...) })
			try(fmt.Sprint(method, " page ", h), func() *reply { return b.send(method, "/private", "", append(h, page...)...) })
		}
	}
	b.password("alice") // and now at first_factor
	b.clean("the login")
	r.console.got()
	for _, h := range headers {
		try(fmt.Sprint("pending ", h), func() *reply { return b.fetch("/private", h...) })
		try(fmt.Sprint("pending page ", h), func() *reply { return b.get("/private", h...) })
	}
}

// TestPoint1PublicIsAnonymous: public requests carry nothing by which the
// console could know a person, and no body unless declared.
func TestPoint1PublicIsAnonymous(t *testing.T) {
	r := newRig(t)
	victim := r.verified("alice")
	r.console.got()
	for _, b := range []*browser{r.browser(), victim} {
		for _, h := range []string{"Cookie: auth=alice." + secret, "Cookie: a.b=1; Auth=alice." + secret, "X-Api-Token: " + secret + "-alice", "X_Api_Token: " + secret} {
			a := b.fetch("/public/logo", h)
			if !strings.Contains(a.body, "/public/logo") {
				t.Fatalf("public is not public: %d", a.StatusCode)
			}
			if b != victim {
				r.anonymous(h)
			}
		}
	}
	b := r.browser()
	b.jar["lang"] = "de"
	b.send("GET", "/public/x", "u=alice&p=pw-alice", "Content-Type: text/plain")
	seen := r.console.got()
	if len(seen) == 0 || seen[len(seen)-1].ContentLength > 0 || seen[len(seen)-1].Header.Get("Cookie") != "lang=de" {
		t.Errorf("the console got %+v", seen[len(seen)-1])
	}
	if a := b.send("POST", "/public/x", "a=1"); strings.Contains(a.body, protected) {
		t.Error("a POST to a public path passes undeclared")
	}
	if a := b.send("POST", "/hook", "a=1", "Content-Type: application/x-www-form-urlencoded"); !strings.Contains(a.body, protected) {
		t.Error("a declared public POST does not pass")
	}
	if a := b.send("POST", "/hook", "u=alice&p=pw-alice", "Content-Type: application/x-www-form-urlencoded", page[0]); a.StatusCode != 303 || strings.Contains(a.raw, secret) {
		t.Errorf("a login by a public POST: %d", a.StatusCode)
	}
}

// TestConsoleThatFails: nothing that it said before it broke gets out.
func TestConsoleThatFails(t *testing.T) {
	r := newRig(t)
	r.bind("alice")
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "auth=alice."+secret)
		_, _ = w.Write([]byte(protected))
		panic(http.ErrAbortHandler)
	})
	for _, uri := range []string{"/public/x", "/login?u=alice&p=x"} {
		b := r.browser()
		if a, err := b.try("GET", uri, ""); err == nil {
			t.Errorf("%s: %d", uri, a.StatusCode)
		}
		b.clean(uri)
	}
}

// TestObserveRefusesNothing, and still keeps our own cookies from the console.
func TestObserveRefusesNothing(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) { s.Observe = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC) })
	b := r.browser()
	b.jar["__Host-stepgate-wiki"] = "x"
	b.jar["auth"] = "alice." + secret
	if got := b.user(); got != "alice" {
		t.Errorf("it shows %q", got)
	}
	for _, q := range r.console.got() {
		if strings.Contains(q.Header.Get("Cookie"), "stepgate") {
			t.Errorf("the console got %q", q.Header.Get("Cookie"))
		}
	}
	r.sleep(24 * time.Hour)
	if got := b.user(); got != "-" {
		t.Errorf("after the day it shows %q", got)
	}
}

func TestBypassIsAuditedAndHoldsUnderEveryReading(t *testing.T) {
	r := newRig(t, func(s *gateway.Site) {
		s.Bypass = []gateway.Bypass{{Name: "ci", Match: match.Match{Methods: []string{"GET", "POST"}, Paths: []string{"/api/*"}}}}
	})
	b := r.browser()
	b.jar["__Host-stepgate-wiki"] = "x"
	if a := b.fetch("/api/x", "Cookie: auth=ci."+secret); !strings.Contains(a.body, `"ci"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	for _, q := range r.console.got() {
		if strings.Contains(strings.Join(q.Header["Cookie"], ";"), "stepgate") {
			t.Errorf("the console got %q", q.Header["Cookie"])
		}
	}
	for _, uri := range []string{"/api/../private", "/api/..%2fprivate", "/api/%252e%252e/private", "/api/..;/private", "/api/x?_method=DELETE", "/api/x?%5fmethod=DELETE"} {
		if a := b.fetch(uri); strings.Contains(a.body, protected) {
			t.Errorf("%s passes", uri)
		}
	}
	records := r.trail()
	if len(records) != 1 || records[0].Event != audit.BypassUsed || records[0].Reasons[0] != (policy.Reason{Code: policy.ReasonBypass, Detail: "ci"}) {
		t.Errorf("%+v", records)
	}
}
