package firstfactor

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/match"
)

// DokuWiki's XML-RPC login removes its cookie and sets it in one answer;
// WordPress's reauth sets and then removes.
func TestPoint8LastLineSaysWhetherACookieIsLeft(t *testing.T) {
	c := Console{SessionCookies: []string{"DW*"}}
	const set, removed = "DW1=x; path=/", "DW1=deleted; expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0"
	for name, want := range map[string]struct {
		lines       []string
		sets, leave int
	}{
		"set":             {[]string{set}, 1, 0},
		"removed":         {[]string{removed}, 0, 1},
		"removed and set": {[]string{removed, set}, 1, 0},
		"set and removed": {[]string{set, removed}, 1, 1},
		"another removed": {[]string{set, "DW2=; Max-Age=0"}, 1, 1},
	} {
		got := c.Changes(http.Header{"Set-Cookie": slices.Clone(want.lines)}, time.Unix(1_800_000_000, 0))
		if len(got.Set) != want.sets || len(got.Deleted) != want.leave {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Every alternative of a subject's pattern is anchored, not just the first.
func TestPoint4PatternIsAnchoredInEveryAlternative(t *testing.T) {
	s := Subject{Cookie: "sid", Pattern: `^u:(\w+)$|x`}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	if name, err := s.read("evil x"); err == nil {
		t.Errorf("the second alternative matches in the middle: %q", name)
	}
	if name, err := s.read("u:alice"); err != nil || name != "alice" {
		t.Errorf("%q, %v", name, err)
	}
}

// A console with two login addresses that takes the field anywhere: the second
// rule's login is no login elsewhere.
func TestPoint2SecondRuleOfAFieldAnywhere(t *testing.T) {
	rule := func(path string) Login {
		return Login{Match: match.Match{Methods: []string{"POST"}, Paths: []string{path}}, Username: Field{Form: "u", Anywhere: true}}
	}
	c := &Console{Logins: []Login{rule("/login"), rule("/admin/login")}}
	for path, want := range map[string]error{"/login": nil, "/admin/login": nil, "/other": ErrElsewhere} {
		a, err := c.Attempt(sent(t, "POST", path, form, "u=alice"), false)
		if !errors.Is(err, want) || (a != nil) != (want == nil) {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
}
