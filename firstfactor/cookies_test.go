package firstfactor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/seal"
)

var now = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// stolen is a console's credential as an attacker holds it: in the clear.
const stolen = "s3cr3t"

// cookieConsole names its cookies as PHP, Java, ASP.NET and Express do.
func cookieConsole() *Console {
	return &Console{SessionCookies: []string{"session_id", "auth_*", "ASP.NET_SessionId", "connect.sid", "sess_"}}
}

func keeper(t testing.TB, site, family string) Keeper {
	t.Helper()
	return Keeper{Site: site, Boxes: testRing(t).For("console-cookie", site, family)}
}

func testRing(t testing.TB) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing("k1", seal.Key{ID: "k1", Secret: [seal.KeySize]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// opened is what of a request's cookies the console gets.
func opened(c *Console, k Keeper, lines ...string) string {
	h := http.Header{"Cookie": lines}
	c.OpenCookies(h, k)
	return strings.Join(h["Cookie"], " | ")
}

// smuggled are cookies that some console reads as a session cookie of its own.
var smuggled = []string{
	"session_id=s3cr3t", "a=b; session_id=s3cr3t", "a=b;session_id=s3cr3t", "session_id=s3cr3t; session_id=s3cr3t", "session_id=", "session_id",
	"session.id=s3cr3t", "session id=s3cr3t", "session[id=s3cr3t", "session%5fid=s3cr3t", "%73ession_id=s3cr3t", "session_id =s3cr3t",
	" session_id=s3cr3t", "\tsession_id=s3cr3t", "session_id\t=s3cr3t", "session_id[]=s3cr3t", "session_id%00%zz=s3cr3t",
	"\xa0session_id=s3cr3t", "\x85session_id=s3cr3t", "session_id\u00a0=s3cr3t", "SESSION_ID=s3cr3t", "Session_Id=s3cr3t",
	"asp.net_sessionid=s3cr3t", "ASP.NET_SESSIONID=s3cr3t", "ASP_NET_SessionId=s3cr3t", "connect_sid=s3cr3t", "connect.sid=s3cr3t", "\xa0connect.sid=s3cr3t",
	"auth_x=s3cr3t", "auth.x=s3cr3t", "auth[x=s3cr3t", "sess_=s3cr3t", "sess =s3cr3t", "sess.=s3cr3t",
	`a="b; session_id=s3cr3t"`, `a="b, session_id=s3cr3t"`, "a=b,session_id=s3cr3t", "a=b, session_id=s3cr3t", "a=b,session_id =s3cr3t",
	"a,session_id=s3cr3t", "a, session_id=s3cr3t", "a session_id=s3cr3t", "a=b session_id=s3cr3t", "a=b,session.id=s3cr3t", "a,SESSION_ID=s3cr3t",
	"a=b\tsession_id = s3cr3t", `a="b"session_id=s3cr3t`, "$Version=1; session_id=s3cr3t; $Path=/", "$Version=1, session_id=s3cr3t", `$Version="1",session_id=s3cr3t`,
	"=session_id=s3cr3t", " = session_id=s3cr3t", "==session_id=s3cr3t", "a=b;=session_id=s3cr3t",
}

func TestPoint1NoSessionCookieInAnySpelling(t *testing.T) {
	c := cookieConsole()
	for _, k := range []Keeper{{}, keeper(t, "wiki", "family")} {
		for _, line := range smuggled {
			for _, lines := range [][]string{{line}, {"x=1", line}, {line, "x=1"}, {"x=1; " + line + "; y=2"}} {
				if got := opened(c, k, lines...); strings.Contains(got, stolen) {
					t.Errorf("%q reaches the console as %q", lines, got)
				}
			}
		}
	}
}

func TestOrdinaryCookiesStayAsTheyCame(t *testing.T) {
	c := cookieConsole()
	for _, line := range []string{"theme=dark; lang=de", `q="a b"; w=x=y`, "a=1, b=2", "prefs=session_id", "x_session_id=1", "user.name=a%zz", "auth=1", "flag"} {
		if got := opened(c, Keeper{}, line); got != line {
			t.Errorf("%q becomes %q", line, got)
		}
	}
	if got := opened(c, Keeper{}, "a=1", "b=2"); got != "a=1; b=2" {
		t.Errorf("two lines become %q", got)
	}
}

func TestPoint5SealedCookiesOpenOnlyWhereTheyWereSealed(t *testing.T) {
	c := cookieConsole()
	own := keeper(t, "wiki", "family")
	sealed := own.seal("session_id", stolen)
	if got := opened(c, own, "session_id="+sealed); got != "session_id="+stolen {
		t.Fatalf("the own cookie opens to %q", got)
	}
	for what, k := range map[string]Keeper{
		"no session": {}, "another family": keeper(t, "wiki", "other"), "another site": keeper(t, "blog", "family"),
		"another site's name": {Site: "blog", Boxes: own.Boxes},
	} {
		if got := opened(c, k, "session_id="+sealed); got != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
	for _, line := range []string{
		"auth_x=" + sealed, "session.id=" + sealed, `session_id="` + sealed + `"`, "session_id=" + sealed + " ", "session_id=" + sealed + "A",
		"session_id=" + sealed[1:], "session_id=~" + sealed, "session_id=~", "session_id=~AAAA", "session_id=" + strings.ToUpper(sealed),
		"session_id=" + stolen, "session_id=%7e" + sealed[1:],
	} {
		if got := opened(c, own, line); got != "" {
			t.Errorf("%q opens to %q", line, got)
		}
	}
	if a, b := own.seal("session_id", stolen), own.seal("session_id", stolen); a == b {
		t.Error("sealing twice gives the same: equal values could be told")
	}
}

func TestOurCookiesAreNeverTheConsoles(t *testing.T) {
	c := cookieConsole()
	for _, line := range []string{
		"__Host-stepgate-wiki=x", "__host-STEPGATE-wiki=x", "__Host-stepgate-browser=x; __Host-stepgate-language=en", "__Host-stepgate-=x",
		"%5f%5fHost-stepgate-wiki=x", "._Host-stepgate-wiki=x", "  __Host-stepgate-wiki=x",
	} {
		if got := opened(c, Keeper{}, line); strings.Contains(got, "stepgate") {
			t.Errorf("%q reaches the console as %q", line, got)
		}
	}
	for _, line := range []string{
		"__Host-stepgate-wiki=x; Path=/; Secure", " __Host-stepgate-wiki =x", "__HOST-STEPGATE-WIKI=x", "=__Host-stepgate-wiki=x", "__Host-stepgate-wiki",
		"__Host-stepgate-wiki=; Max-Age=0", "__Host-stepgate-browser=x", "\t__Host-stepgate-wiki=x",
	} {
		h := http.Header{"Set-Cookie": {line}}
		c.SealCookies(h, keeper(t, "wiki", "family"), now)
		if len(h["Set-Cookie"]) != 0 {
			t.Errorf("the console sets %q", h["Set-Cookie"])
		}
	}
}

// settings are lines by which a console sets its session cookie, oddly.
var settings = []string{
	"session_id=s3cr3t", "session_id=s3cr3t; Path=/; HttpOnly", " session_id = s3cr3t ; path=/", "session_id=s3cr3t; expires=Fri, 01-Jan-2100 00:00:00 GMT",
	"session_id=s3cr3t; Max-Age=99", "session_id=s3cr3t; Max-Age=-1; Max-Age=99", "session_id=s3cr3t; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=99",
	"session_id=s3cr3t; Max-Age=0; Max-Age=0099", "session_id=\"s3cr3t\"", "auth_1=s3cr3t;SameSite=None", "session_id=s3cr3t; Max-Age=x", "session_id=s3cr3t; expires=yesterday",
	"session.id=s3cr3t", "session%5fid=s3cr3t", "SESSION_ID=s3cr3t", "\tsession_id=s3cr3t", "=session_id=s3cr3t",
}

func TestPoint5NoSessionCookieLeavesInTheClear(t *testing.T) {
	c := cookieConsole()
	for _, line := range settings {
		if got := c.Changes(http.Header{"Set-Cookie": {line}}, now); len(got.Set) != 1 {
			t.Errorf("%q is not seen as a session credential", line)
		}
		for _, k := range []Keeper{{}, keeper(t, "wiki", "family")} {
			h := http.Header{"Set-Cookie": {"theme=dark", line, "lang=de"}}
			c.SealCookies(h, k, now)
			if got := strings.Join(h["Set-Cookie"], " | "); strings.Contains(got, stolen) {
				t.Errorf("%q leaves as %q", line, got)
			} else if !strings.HasPrefix(got, "theme=dark | ") || !strings.HasSuffix(got, "lang=de") {
				t.Errorf("%q takes others along: %q", line, got)
			}
		}
	}
}

// TestDeletionsPassWithoutTheirValue: a console that removes a cookie may
// still name its value, which may still be good.
func TestDeletionsPassWithoutTheirValue(t *testing.T) {
	c := cookieConsole()
	for _, line := range []string{
		"session_id=s3cr3t; Max-Age=0; Path=/", "session_id=s3cr3t; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/", "session_id=; Path=/", `session_id=""`, "session_id=s3cr3t; Max-Age=-5",
	} {
		h := http.Header{"Set-Cookie": {line}}
		if ch := c.Changes(h, now); len(ch.Set) != 0 || len(ch.Deleted) != 1 {
			t.Errorf("%q: %+v", line, ch)
		}
		c.SealCookies(h, Keeper{}, now)
		if got := strings.Join(h["Set-Cookie"], ""); strings.Contains(got, stolen) || !strings.HasPrefix(got, "session_id=") {
			t.Errorf("%q leaves as %q", line, got)
		}
	}
}

// TestPoint3SetAndDeletedIsNoSuccess: what a browser does not keep is no sign
// of a success, or names nobody. It is no failure either.
func TestPoint3SetAndDeletedIsNoSuccess(t *testing.T) {
	c := &Console{SessionCookies: []string{"session_id"}, Subject: &Subject{Cookie: "session_id"},
		Logins: []Login{{Success: Condition{SetCookies: []string{"session_id"}}}}}
	const set, removed = "session_id=alice; Path=/", "session_id=deleted; Max-Age=0; Path=/"
	for lines, want := range map[string]Outcome{set: Success, removed: Failure, set + "\n" + removed: Unclear, removed + "\n" + set: Success} {
		a := escrow.Answer{Status: 302, Header: http.Header{"Set-Cookie": strings.Split(lines, "\n")}}
		for _, attempt := range []*Attempt{{Rule: &c.Logins[0]}, nil} {
			v := c.Judge(t.Context(), "wiki", attempt, a, nil, now)
			if attempt == nil && want == Failure {
				want = Unclear // it was no login
			}
			if v.Outcome != want {
				t.Errorf("%q: %v, %s", lines, v.Outcome, v.Differs)
			}
		}
	}
}

func TestPoint1SessionHeadersInAnySpelling(t *testing.T) {
	c := &Console{SessionHeaders: []string{"X-Api-Token"}}
	good := func(token string) bool { return token == "good" }
	for _, bound := range []func(string) bool{nil, good} {
		for _, name := range []string{"X-Api-Token", "X_api_token", "X-Api_token", "x-api-token", "X.api.token", "Authorization", "Proxy-Authorization", "Proxy_authorization"} {
			h := http.Header{name: {stolen}}
			if c.StripHeaders(h, bound); len(h) != 0 {
				t.Errorf("%s reaches the console", name)
			}
		}
		h := http.Header{"X-Api-Token": {"good", stolen}}
		if c.StripHeaders(h, bound); len(h) != 0 {
			t.Error("a doubled token reaches the console")
		}
		h = http.Header{"X-Api-Token": {"good"}, "X_api_token": {stolen}}
		if c.StripHeaders(h, bound); len(h["X_api_token"]) != 0 || bound == nil && len(h) != 0 {
			t.Errorf("a second spelling beside the good one reaches the console: %v", h)
		}
	}
	h := http.Header{"X-Api-Token": {"good"}}
	if c.StripHeaders(h, good); len(h) != 1 {
		t.Error("the issued token is removed")
	}
}

// TestIssuedTokenIsKnownByItsBareValue: it is issued with its scheme and comes
// back with it.
func TestIssuedTokenIsKnownByItsBareValue(t *testing.T) {
	c := &Console{SessionHeaders: []string{"Authorization"}}
	ch := c.Changes(http.Header{"Authorization": {"Bearer abc"}}, now)
	if len(ch.Set) != 1 {
		t.Fatalf("%+v", ch)
	}
	h := http.Header{"Authorization": {"Bearer abc"}}
	if c.StripHeaders(h, func(token string) bool { return token == ch.Set[0].Value }); len(h) != 1 {
		t.Errorf("issued as %q, removed when it comes back", ch.Set[0].Value)
	}
}

// FuzzNoSessionCookieBelowVerified reads what is left as consoles do.
func FuzzNoSessionCookieBelowVerified(f *testing.F) {
	for _, line := range smuggled {
		f.Add(line)
	}
	c := cookieConsole()
	f.Fuzz(func(t *testing.T, line string) {
		got := opened(c, Keeper{}, line)
		for _, name := range cookieNames(got) {
			if name == "session_id" || name == "connect.sid" || strings.EqualFold(name, "asp.net_sessionid") || strings.HasPrefix(strings.ToLower(name), "__host-stepgate-") {
				t.Errorf("%q reaches the console as %q, which may read %q", line, got, name)
			}
		}
	})
}

// cookieNames are the names that consoles may find, each in its own way.
func cookieNames(line string) (names []string) {
	for _, separators := range []string{";", ";,", ";,\""} {
		for _, pair := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			name, _, valued := strings.Cut(pair, "=")
			if !valued {
				continue
			}
			names = append(names, strings.Trim(name, " \t"), strings.TrimSpace(name), match.FoldName(name))
			if r, err := http.ParseCookie(pair); err == nil {
				names = append(names, r[0].Name)
			}
		}
	}
	return names
}
