package otp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
)

var (
	key   = []byte("0123456789abcdef0123456789abcdef")
	start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	bound = []string{"challenge", "session", "wiki/alice", "wiki", "login"}
)

// TestCodesAreUniform counts the first and the last digit of many codes: with
// a modulo bias or without leading zeros some would be rare.
func TestCodesAreUniform(t *testing.T) {
	const n = 20000
	var first, last [10]int
	for range n {
		c := New()
		if len(c) != Digits || strings.Trim(c, "0123456789") != "" {
			t.Fatalf("code %q", c)
		}
		first[c[0]-'0']++
		last[c[Digits-1]-'0']++
	}
	for d := range 10 {
		if min(first[d], last[d]) < n/10*8/10 || max(first[d], last[d]) > n/10*12/10 {
			t.Errorf("digit %d: %d times first, %d times last, of %d", d, first[d], last[d], n)
		}
	}
}

func TestSentCodeIsRightForWhatItWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := New()
		s := Seal(key, code, "contact", identity.SMS, start, bound...)
		var read Sent // as it comes out of the store
		raw, err := json.Marshal(s)
		if err != nil || json.Unmarshal(raw, &read) != nil {
			t.Fatal(err)
		}
		later := start.Add(time.Duration(rapid.Int64Range(0, int64(2*Life)).Draw(t, "later")))
		if got, want := read.Right(key, code, later, bound...), later.Sub(start) < Life; got != want {
			t.Fatalf("right %v after %v", got, later.Sub(start))
		}
	})
	raw, err := json.Marshal(Seal(key, "918273", "contact", identity.SMS, start, bound...))
	if err != nil || strings.Contains(string(raw), "918273") {
		t.Errorf("%s, %v", raw, err)
	}
}

// TestSentCodeIsWrongElsewhere takes the right code to everything it was not
// sent for, and the record to another place in the store.
func TestSentCodeIsWrongElsewhere(t *testing.T) {
	const code = "012345"
	s := Seal(key, code, "contact", identity.SMS, start, bound...)
	now := start.Add(time.Minute)
	if !s.Right(key, code, now, bound...) {
		t.Fatal("the right code is wrong")
	}
	for i := range bound {
		other := slices.Clone(bound)
		other[i] += "x"
		if s.Right(key, code, now, other...) {
			t.Errorf("right for another %s", bound[i])
		}
	}
	shifted := append([]string{bound[0] + bound[1]}, bound[2:]...)
	if s.Right(key, code, now, shifted...) || s.Right(key, code, now) || s.Right(key[1:], code, now, bound...) {
		t.Error("right for less, or under another key")
	}
	for name, change := range map[string]func(*Sent){
		"id":      func(s *Sent) { s.ID = "other" },
		"contact": func(s *Sent) { s.Contact = "other" },
		"factor":  func(s *Sent) { s.Factor = identity.Email },
		"expiry":  func(s *Sent) { s.ExpiresAt = s.ExpiresAt.Add(time.Hour) },
	} {
		moved := s
		if change(&moved); moved.Right(key, code, now, bound...) {
			t.Errorf("right after a change of its %s", name)
		}
	}
	for _, wrong := range []string{"", "012346", "12345", " 012345", "0123450"} {
		if s.Right(key, wrong, now, bound...) {
			t.Errorf("%q is right", wrong)
		}
	}
	if (Sent{}).Right(key, "", time.Time{}) {
		t.Error("no code is right where none was sent")
	}
}

func TestBound(t *testing.T) {
	for host, want := range map[string]string{
		"wiki.example.com":      "@wiki.example.com #012345",
		"Wiki.Example.com:8443": "@wiki.example.com #012345",
		"xn--fiqs8s.example":    "@xn--fiqs8s.example #012345",
		"":                      "",
		"evil.com #1\n@a.com":   "",
		"维基.example":            "",
		"[::1]":                 "",
	} {
		if got := Bound(host, "012345"); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

// TestRatesAreOneForAPeriod holds what stores ask for: a counter for each
// period, so no two rates of one.
func TestRatesAreOneForAPeriod(t *testing.T) {
	for _, rates := range [][]limits.Rate{SMSPerNumber, SMSPerBlock, SMSInAll, MailPerAddress} {
		seen := map[time.Duration]bool{}
		for _, r := range rates {
			if seen[r.Period] || r.Count < 1 {
				t.Errorf("%v in %v", r, rates)
			}
			seen[r.Period] = true
		}
	}
}

func keys(charges []Charge) (all []string) {
	for _, c := range charges {
		all = append(all, c.Keys...)
	}
	return all
}

func TestChargesHoldNoNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := "+86" + rapid.StringMatching(`1[3-9][0-9]{9}`).Draw(t, "number")
		for _, k := range keys(Charges(key, identity.SMS, number, nil)) {
			if strings.Contains(k, number[3:10]) {
				t.Fatalf("key %q of %s", k, number)
			}
		}
	})
}

// TestWhoSharesABudget: a number has its own, its neighbors one together, and
// all of them another.
func TestWhoSharesABudget(t *testing.T) {
	shared := func(to, other string) (n int) {
		ours := keys(Charges(key, identity.SMS, to, nil))
		for _, k := range keys(Charges(key, identity.SMS, other, nil)) {
			if slices.Contains(ours, k) {
				n++
			}
		}
		return n
	}
	const number = "+8613800138000"
	if n := shared(number, number); n != 1+3+5+10+2 {
		t.Errorf("a number has %d keys", n)
	}
	if a, b := shared(number, "+8613800138999"), shared(number, "+8613800148000"); a != 2 || b != 1 {
		t.Errorf("it shares %d with a neighbor, %d with a stranger", a, b)
	}
	mail, other := keys(Charges(key, identity.Email, "a@example.com", nil)), keys(Charges(key, identity.Email, "b@example.com", nil))
	if slices.ContainsFunc(mail, func(k string) bool { return slices.Contains(other, k) }) {
		t.Error("mail addresses share a budget")
	}
	if short := Charges(key, identity.SMS, "+1", nil); len(short) != 6 {
		t.Errorf("%v", short)
	}
	all := []limits.Rate{{Count: 7, Period: time.Hour}}
	if got := Charges(key, identity.SMS, number, all); !slices.Equal(got[len(got)-1].Rates, all) {
		t.Errorf("the operator's rate in all: %v", got)
	}
}

func TestAgain(t *testing.T) {
	if s := Seal(key, New(), "c", identity.Email, start); !s.Again().Equal(start.Add(Wait)) || !s.ExpiresAt.Equal(start.Add(Life)) {
		t.Errorf("%v %v", s.Again(), s.ExpiresAt)
	}
}
