package totp

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	lib "github.com/pquerna/otp/totp"
)

const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // RFC 6238, appendix B, in base32

func at(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func codeAt(t testing.TB, when time.Time) string {
	t.Helper()
	c, err := lib.GenerateCode(secret, when)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRFC6238 takes the appendix's values, cut to six digits.
func TestRFC6238(t *testing.T) {
	for seconds, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if r, step := Check(secret, code, at(seconds), 0); r != Right || step != seconds/30 {
			t.Errorf("at %d: %v, step %d", seconds, r, step)
		}
	}
}

func TestWindow(t *testing.T) {
	now := at(1_800_000_015)
	for steps, want := range map[int]Result{-22: Wrong, -21: Wrong, -20: Stale, -3: Stale, -2: Stale, -1: Right, 0: Right, 1: Right, 2: Wrong, 10: Wrong} {
		c := codeAt(t, now.Add(time.Duration(steps)*Period))
		if r, _ := Check(secret, c, now, 0); r != want {
			t.Errorf("%d steps away: %v, want %v", steps, r, want)
		}
	}
	if r, _ := Check(secret, codeAt(t, now), now, Step(now)); r != Spent {
		t.Errorf("the spent step: %v", r)
	}
	if r, _ := Check(secret, codeAt(t, now.Add(-Period)), now, Step(now)); r != Spent {
		t.Errorf("a step before the spent one: %v", r)
	}
	for _, c := range []string{"", "12345", "1234567", "abcdef", codeAt(t, now) + " ", "-" + codeAt(t, now)[1:]} {
		if r, _ := Check(secret, c, now, 0); r != Wrong {
			t.Errorf("%q: %v", c, r)
		}
	}
	if r, _ := Check("not base32!", codeAt(t, now), now, 0); r != Wrong {
		t.Errorf("a broken secret: %v", r)
	}
}

func TestPairs(t *testing.T) {
	now := at(1_800_000_015)
	c := func(steps int) string { return codeAt(t, now.Add(time.Duration(steps)*Period)) }
	for _, pair := range [][2]int{{-2, -1}, {-1, 0}, {0, 1}} {
		if step, ok := CheckPair(secret, c(pair[0]), c(pair[1]), now); !ok || step != Step(now)+int64(pair[1]) {
			t.Errorf("%v: %d, %v", pair, step, ok)
		}
	}
	for _, pair := range [][2]int{{0, 0}, {1, 0}, {-1, 1}, {-3, -2}, {1, 2}, {-2, 0}} {
		if _, ok := CheckPair(secret, c(pair[0]), c(pair[1]), now); ok {
			t.Errorf("%v binds", pair)
		}
	}
}

// TestKeys are random, and the address says what any app needs.
func TestKeys(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		k, err := NewKey("Example: Cloud", "a:b/c?&=用户")
		if err != nil {
			t.Fatal(err)
		}
		if seen[k.Secret] || len(k.Secret) != 32 {
			t.Fatalf("key %q", k.Secret)
		}
		seen[k.Secret] = true
		u, err := url.Parse(k.URL)
		if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
			t.Fatalf("%s: %v", k.URL, err)
		}
		q := u.Query()
		if got := fmt.Sprintln(q.Get("secret") == k.Secret, q.Get("digits"), q.Get("period"), q.Get("algorithm")); got != "true 6 30 SHA1\n" {
			t.Errorf("%s: %s", k.URL, got)
		}
	}
}
