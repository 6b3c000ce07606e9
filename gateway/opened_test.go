package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// get sends a request of the verified browser with these cookies, and returns
// what the console got.
func (v *verified) get(t *testing.T, lines ...string) []string {
	t.Helper()
	var got []string
	v.request.Header["Cookie"] = lines
	err := v.gateway.ServeHTTP(v.w, v.request, Arrival{Secure: true}, func(w http.ResponseWriter, r *http.Request) error {
		got = r.Header["Cookie"]
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	fatal(t, err)
	return got
}

// What was opened before must be what would be opened now: only the same line,
// whole and alone, is answered from memory.
func TestOnlyTheSameCookiesAreOpenedFromMemory(t *testing.T) {
	v := newVerified(t)
	own, sealed := v.cookies[:strings.LastIndex(v.cookies, "; ")], v.cookies[strings.LastIndex(v.cookies, "; ")+2:]
	tampered := v.cookies[:len(v.cookies)-2] + "AA"
	for _, sent := range []struct {
		lines []string
		want  string
	}{
		{[]string{v.cookies}, "theme=dark; " + consoleSession},
		{[]string{v.cookies}, "theme=dark; " + consoleSession},
		{[]string{v.cookies, "seen=1"}, "theme=dark; " + consoleSession + "; seen=1"},
		{[]string{strings.Replace(v.cookies, "dark", "lite", 1)}, "theme=lite; " + consoleSession},
		{[]string{tampered}, "theme=dark"},
		{[]string{own}, "theme=dark"},
		{[]string{v.cookies}, "theme=dark; " + consoleSession},
		{[]string{own, sealed}, "theme=dark; " + consoleSession},
	} {
		if got := v.get(t, sent.lines...); len(got) != 1 || got[0] != sent.want {
			t.Errorf("%q: the console got %q", sent.lines, got)
		}
	}
}

// A reload may say that another cookie is the session's: what is in memory was
// opened for the description before.
func TestCookiesAreOpenedAnewForAnotherDescription(t *testing.T) {
	v := newVerified(t)
	other := *v.gateway.site.Console
	other.SessionCookies = []string{"theme", "console_session"}
	v.gateway = New(Site{Name: "console", Realm: "console", Console: &other, Rules: v.gateway.site.Rules},
		v.gateway.svc, nil, noMeter{}, v.gateway.log)
	if got := v.get(t, v.cookies); len(got) != 1 || got[0] != consoleSession {
		t.Errorf("the console got %q", got)
	}
}

// Whatever stands behind may change the header in place: the next request gets
// what was opened all the same.
func TestTheConsolesSideCannotChangeWhatIsInMemory(t *testing.T) {
	v := newVerified(t)
	v.get(t, v.cookies)[0] = "altered"
	v.w.h["Cache-Control"][0] = "public"
	v.visit(t)
	if v.w.h.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%v", v.w.h)
	}
}

// Long lines are opened each time: the memory of a session near is bounded.
func TestLongCookiesAreNotKept(t *testing.T) {
	v := newVerified(t)
	long := "filler=" + strings.Repeat("x", maxOpened)
	for range 2 {
		if got := v.get(t, v.cookies+"; "+long); len(got) != 1 || got[0] != "theme=dark; "+consoleSession+"; "+long {
			t.Fatalf("the console got %q", got)
		}
	}
	live, err := v.gateway.svc.Sessions.Find(t.Context(), "console", v.session)
	fatal(t, err)
	if kept := live.Opened.Load(); kept == nil || len(kept.Sent)+len(kept.Console) > maxOpened {
		t.Errorf("kept %v", kept)
	}
}
