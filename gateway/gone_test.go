package gateway_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
)

// goes sends a form to the challenge from a client that goes at the nth call
// of a store, and returns how many calls there were.
func (b *browser) goes(fields string, n int) (calls int) {
	b.t.Helper()
	id := b.formID()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/.stepgate/challenge", strings.NewReader("challenge="+escape(id)+"&"+fields))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Cookie", b.cookies())
	b.faults.watch = func(string) {
		if calls++; calls == n {
			cancel()
		}
	}
	defer func() { b.faults.watch = nil }()
	_ = b.gateway.ServeHTTP(httptest.NewRecorder(), q, gateway.Arrival{Address: "192.0.2.1", Secure: true}, b.console.next)
	return calls
}

// told fails if a factor is bound, or its code spent, and the trail does not
// say so.
func (r *rig) told(t *testing.T, name, what string, old bool) (passed bool) {
	t.Helper()
	account, err := r.accounts.Account(t.Context(), subject(name))
	check(t, err)
	happened := len(account.Credentials) > 0 && account.Credentials[0].LastStep > 0
	event := audit.FactorBound
	if old {
		event = audit.ChallengePassed
	}
	for range 100 { // the server may still be at it
		passed = slices.ContainsFunc(r.trail(), func(rec audit.Record) bool { return rec.Event == event && rec.Subject == subject(name) })
		if passed || !happened {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if happened && !passed {
		t.Errorf("%s, %s: it happened, and the trail does not say so", name, what)
	}
	return passed
}

// TestClientsThatGo at any moment leave no factor and no pass of which the
// trail does not know.
func TestClientsThatGo(t *testing.T) {
	r := newRig(t)
	most := 1
	for n := 1; n <= most; n++ {
		name := fmt.Sprintf("new-%d", n)
		b := r.browser()
		b.password(name)
		key := shownKey(b.get("/.stepgate/challenge").body)
		one, two := code(t, key, r.clock()), code(t, key, r.clock().Add(30*time.Second))
		most = max(most, b.goes("code1="+one+"&code2="+two, n))
		if !r.told(t, name, fmt.Sprint("call ", n), false) {
			t.Errorf("%s: what was begun is not finished", name)
		}
	}
	for n := 1; n <= most; n++ {
		name := fmt.Sprintf("old-%d", n)
		key := r.bind(name)
		b := r.browser()
		b.password(name)
		b.goes("code="+code(t, key, r.clock()), n)
		if !r.told(t, name, fmt.Sprint("call ", n), true) {
			t.Errorf("%s: what was begun is not finished", name)
		}
	}
	if most < 5 {
		t.Errorf("only %d calls were watched", most)
	}
}

// TestConnectionsThatBreak right after a right code was sent.
func TestConnectionsThatBreak(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		old, fresh := fmt.Sprintf("old-%d", i), fmt.Sprintf("new-%d", i)
		key := r.bind(old)
		delay := time.Duration(i*i) * 10 * time.Microsecond
		b := r.browser()
		b.password(old)
		b.breaks("code="+code(t, key, r.clock()), delay)
		c := r.browser()
		c.password(fresh)
		key = shownKey(c.get("/.stepgate/challenge").body)
		c.breaks("code1="+code(t, key, r.clock())+"&code2="+code(t, key, r.clock().Add(30*time.Second)), delay)
		r.settle()
		r.told(t, old, delay.String(), true)
		r.told(t, fresh, delay.String(), false)
	}
}

// breaks sends a form to the challenge and resets the connection.
func (b *browser) breaks(fields string, delay time.Duration) {
	b.t.Helper()
	request := b.request("POST", "/.stepgate/challenge", "challenge="+escape(b.formID())+"&"+fields, slices.Concat(page, []string{urlencoded}))
	conn := dial(b.t, b.rig)
	_, err := conn.Write([]byte(request))
	check(b.t, err)
	time.Sleep(delay)
	check(b.t, conn.(*net.TCPConn).SetLinger(0))
	check(b.t, conn.Close())
}

// settle waits until the stores are asked no more.
func (r *rig) settle() {
	for asked := -1; ; time.Sleep(15 * time.Millisecond) {
		now := 0
		r.faults.mu.Lock()
		for _, n := range r.faults.calls {
			now += n
		}
		r.faults.mu.Unlock()
		if now == asked {
			return
		}
		asked = now
	}
}
