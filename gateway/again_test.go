package gateway_test

import (
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stepgate/stepgate/gateway"
)

// TestTrustStaysChosen: after an attempt that failed, the page has what the
// person chose, whichever factor it was.
func TestTrustStaysChosen(t *testing.T) {
	r := newRig(t, allFactors, func(s *gateway.Site) { s.Rules.TrustBrowser = time.Hour })
	secret := r.bind("alice")
	r.bindContact("alice", herNumber)
	r.codesOf("alice")
	b := r.asked("alice")
	b.does("sms", "do=send")
	checked := regexp.MustCompile(`name="trust" value="1" checked>`)
	for way, typed := range map[string]string{"totp": b.wrong(secret), "sms": "12", "recovery": "2345-6789-ABCD-EFGH"} {
		if a := b.does(way, "trust=1&code="+url.QueryEscape(typed)); !shows(a, "trust") || !checked.MatchString(a.body) {
			t.Errorf("%s: the choice is forgotten: %d %s", way, a.StatusCode, a.body)
		}
		if a := b.get(wayPage(way)); !shows(a, "trust") || checked.MatchString(a.body) {
			t.Errorf("%s: chosen for the person: %d", way, a.StatusCode)
		}
	}
}

// TestSendingLaterIsWaitedFor: who is told when another code can be sent has a
// button that waits until then.
func TestSendingLaterIsWaitedFor(t *testing.T) {
	r := newRig(t, allFactors)
	r.bindContact("alice", herNumber)
	waits := regexp.MustCompile(`<button[^>]* disabled data-wait="(\d+)"`)
	b := r.asked("alice")
	for range 3 {
		if a := b.does("sms", "do=send"); a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		r.sleep(61 * time.Second)
	}
	a := b.does("sms", "do=send") // three in ten minutes
	if m := waits.FindStringSubmatch(a.body); m == nil || len(m[1]) < 2 || m[1] == "60" {
		t.Errorf("the button does not wait: %v %d %s", m, a.StatusCode, a.body)
	}
	if n := len(r.post.take()); n != 3 {
		t.Errorf("%d messages", n)
	}
}
