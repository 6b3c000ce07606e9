package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/gateway"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// aStep is the last step of a way to a pass, or to a change: a person in a
// browser, and what they send.
type aStep struct {
	rules []func(*gateway.Site)
	begin func(r *rig) (b *browser, send func() *reply)
	// gated: a stranger with the password alone still binds nothing afterwards.
	gated bool
}

var lastSteps = map[string]aStep{
	"a code by SMS": {begin: func(r *rig) (*browser, func() *reply) {
		r.bindContact("alice", herNumber)
		b := r.asked("alice")
		b.does("sms", "do=send")
		return b, b.answers("sms", "code="+r.post.code(herNumber))
	}, gated: true},
	"a recovery code": {begin: func(r *rig) (*browser, func() *reply) {
		r.bind("alice")
		codes := r.codesOf("alice")
		b := r.asked("alice")
		return b, b.answers("recovery", "code="+string(codes[0]))
	}, gated: true},
	"a ticket": {begin: func(r *rig) (*browser, func() *reply) {
		r.bind("alice")
		check(r.t, r.accounts.ResetFactors(r.t.Context(), subject("alice")))
		b := r.asked("alice")
		return b, b.answers("", "code="+string(r.ticketFor("alice")))
	}, gated: true},
	"an app after a ticket": {begin: func(r *rig) (*browser, func() *reply) {
		r.bind("alice")
		check(r.t, r.accounts.ResetFactors(r.t.Context(), subject("alice")))
		b := r.asked("alice")
		b.does("", "code="+string(r.ticketFor("alice")))
		return b, b.appBound()
	}, gated: true},
	"an app after a contact": {rules: []func(*gateway.Site){enrolling(policy.EnrollContact)}, begin: func(r *rig) (*browser, func() *reply) {
		r.reach("alice", herMail)
		b := r.asked("alice")
		b.does("email", "do=send")
		b.does("email", "code="+r.post.code(herMail))
		return b, b.appBound()
	}, gated: true},
	"a number at login": {begin: func(r *rig) (*browser, func() *reply) {
		b := r.asked("alice")
		b.does("sms", "address="+url.QueryEscape(herNumber))
		b.does("sms", "code="+r.post.code(herNumber))
		return b, b.answers("sms", "do=enable")
	}},
	"a number in place of an old one": {begin: func(r *rig) (*browser, func() *reply) {
		key := r.bind("alice")
		r.bindContact("alice", herNumber)
		r.sleep(time.Hour)
		check(r.t, r.accounts.RequireRebinding(r.t.Context(), subject("alice"), r.clock()))
		b := r.asked("alice")
		b.does("totp", "code="+code(r.t, key, r.clock()))
		b.does("sms", "address="+url.QueryEscape("+8613912345679"))
		b.does("sms", "code="+r.post.code("+8613912345679"))
		return b, b.answers("sms", "do=enable")
	}, gated: true},
	"a browser to trust": {rules: []func(*gateway.Site){func(s *gateway.Site) { s.Rules.TrustBrowser = 24 * time.Hour }},
		begin: func(r *rig) (*browser, func() *reply) {
			key := r.bind("alice")
			b := r.asked("alice")
			return b, b.answers("totp", "trust=1&code="+code(r.t, key, r.clock()))
		}, gated: true},
}

// answers is a form of the page of a factor that is open, to be sent later.
func (b *browser) answers(way, fields string) func() *reply {
	b.t.Helper()
	id := challengeID.FindStringSubmatch(b.get(wayPage(way)).body)
	if id == nil {
		b.t.Fatalf("no form by %q", way)
	}
	return func() *reply { return b.post(wayPage(way), "challenge="+url.QueryEscape(id[1])+"&"+fields) }
}

func (b *browser) appBound() func() *reply {
	b.t.Helper()
	key, now := shownKey(b.get(wayPage("totp")).body), b.clock()
	if key == "" {
		b.t.Fatal("no key")
	}
	return b.answers("totp", "code1="+code(b.t, key, now)+"&code2="+code(b.t, key, now.Add(30*time.Second)))
}

// called are the methods of the stores that a step calls.
func (s aStep) called(t *testing.T) (all []string) {
	r := newRig(t, append([]func(*gateway.Site){allFactors}, s.rules...)...)
	_, send := s.begin(r)
	var mu sync.Mutex
	r.faults.mu.Lock()
	r.faults.watch = func(method string) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(all, method) {
			all = append(all, method)
		}
	}
	r.faults.mu.Unlock()
	if a := send(); a.StatusCode >= 400 {
		t.Fatalf("without a fault: %d %s", a.StatusCode, a.body)
	}
	return all
}

// TestFactorFaultsOpenNothing: whatever store fails at the last step of a way,
// nobody has passed, a stranger who knows the password is shown nothing that
// binds, nothing is worth more than before, and the person gets in later.
func TestFactorFaultsOpenNothing(t *testing.T) {
	for name, step := range lastSteps {
		for _, method := range step.called(t) {
			r := newRig(t, append([]func(*gateway.Site){allFactors}, step.rules...)...)
			b, send := step.begin(r)
			r.failing(t, method, false, send)
			if who := b.user(); who != "-" {
				t.Errorf("%s, %s: the wiki shows itself to %q", name, method, who)
			}
			b.clean(name + ", " + method)
			r.sleep(time.Minute)
			stranger := r.asked("alice")
			for _, way := range []string{"", "totp", "sms", "passkey"} {
				if a := stranger.get(wayPage(way)); step.gated && (shownKey(a.body) != "" || shows(a, "address")) {
					t.Errorf("%s, %s: a stranger may bind by %q", name, method, way)
				}
			}
			for _, c := range r.account("alice").Credentials {
				if c.Strength > c.Factor.Strength() {
					t.Errorf("%s, %s: %+v", name, method, c)
				}
				if contact, ok := r.account("alice").Contact(c.Factor); c.Factor == identity.SMS && (!ok || contact.ID != c.ID) {
					t.Errorf("%s, %s: a number that is no contact: %+v", name, method, c)
				}
			}
			if a := b.password("alice"); a.StatusCode != http.StatusSeeOther {
				t.Errorf("%s, %s: the next login: %d", name, method, a.StatusCode)
			}
		}
	}
}

// TestBindingIsToldWhateverFails: what is bound is announced, although it
// could not be written down.
func TestBindingIsToldWhateverFails(t *testing.T) {
	r := newRig(t, allFactors, enrolling(policy.EnrollContact))
	r.reach("alice", herMail)
	b := r.asked("alice")
	b.does("email", "do=send")
	b.does("email", "code="+r.post.code(herMail))
	send := b.appBound()
	r.post.take()
	r.failing(t, "trail.Append", false, send)
	if bound := r.account("alice").State == identity.Bound; bound && len(r.post.take()) == 0 {
		t.Error("an app was bound in silence")
	}
}
