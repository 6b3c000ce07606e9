package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/gateway"
)

// counted is a trail that only counts.
type counted struct {
	audit.Trail
	n atomic.Int64
}

func (c *counted) Append(context.Context, audit.Record) error {
	c.n.Add(1)
	return nil
}

// flood sends one request from each of n addresses, and returns how many
// records that left.
func (r *rig) flood(trail *counted, n int, address string, send func() *http.Request) int64 {
	r.t.Helper()
	before := trail.n.Load()
	for i := range n {
		w := httptest.NewRecorder()
		at := gateway.Arrival{Address: fmt.Sprintf(address, i), Secure: true, Subrequest: subrequest}
		check(r.t, r.gateway.ServeHTTP(w, send(), at, r.console.next))
		if w.Code < 400 {
			r.t.Fatalf("%s: %d", at.Address, w.Code)
		}
	}
	r.console.got()
	return trail.n.Load() - before
}

// TestFloodsLeaveFewRecords: strangers can not fill the disk by what they are
// refused, in whatever names they come.
func TestFloodsLeaveFewRecords(t *testing.T) {
	r := newRig(t, doku)
	trail := &counted{Trail: r.svc.Trail}
	r.svc.Trail = trail
	r.gateway = gateway.New(r.site, r.svc, pages(t), noMeter{}, discard)
	r.console.answers(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "auth="+secret) })
	for what, send := range map[string]func() *http.Request{
		"malformed": func() *http.Request { return httptest.NewRequest("TRACE", "/", nil) },
		"elsewhere": func() *http.Request { return httptest.NewRequest("GET", "/api?u=alice&p=x", nil) },
		"unclear":   func() *http.Request { return httptest.NewRequest("GET", "/public/x", nil) },
	} {
		r.sleep(time.Hour)
		if n := r.flood(trail, 500, "2001:db8:1:2::%x", send); n != 1 {
			t.Errorf("%s: 500 addresses of one network leave %d records", what, n)
		}
		if n := r.flood(trail, 10_500, "2001:db8:2:%x::1", send); n > 10_000 {
			t.Errorf("%s: 10500 networks leave %d records", what, n)
		}
		if n := r.flood(trail, 500, "2001:db8:3:%x::1", send); n > 0 {
			t.Errorf("%s: 500 more networks leave %d records in the same minute", what, n)
		}
		r.sleep(time.Minute)
		if n := r.flood(trail, 2, "2001:db8:4:%x::1", send); n != 2 {
			t.Errorf("%s: a minute later %d records", what, n)
		}
	}
}

// TestPasswordFloodsLeaveFewRecords: nobody fills the disk by sign-ins that are
// not looked at any more, whoever's name stands there.
func TestPasswordFloodsLeaveFewRecords(t *testing.T) {
	for _, name := range []string{"alice", "nobody"} {
		o := newOffice(t)
		o.employ("alice")
		trail := &counted{Trail: o.svc.Trail}
		o.svc.Trail = trail
		o.gateway = gateway.New(o.site, o.svc, pages(t), noMeter{}, discard)
		n := o.flood(trail, 500, "2001:db8:1:2::%x", func() *http.Request {
			r := httptest.NewRequest("POST", ownPage, strings.NewReader("name="+name+"&password=wrong"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		})
		if n != 11 { // ten that were compared, and once that no more are
			t.Errorf("500 sign-ins as %s leave %d records", name, n)
		}
	}
}
