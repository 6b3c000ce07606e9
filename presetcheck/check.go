package presetcheck

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
)

// realm is whom names belong to while nobody asks.
const realm = "check"

// Check says what to check.
type Check struct {
	// Console is the description, prepared.
	Console *firstfactor.Console
	// Base is the console's own address, around any gateway.
	Base *url.URL
	// Host is what the console shall be called, if not by its address.
	Host string
	// Dial replaces the way to the console; nil for TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Name and Password are a person's whom the console knows.
	Name, Password string
	// Rule is the index of the login rule to try.
	Rule int
	// PasswordField is the field of the password, "" to find it.
	PasswordField string
	// Fields are further fields of the login.
	Fields map[string]string
	// Page is a path that only people who are signed in may see, "" to find it.
	Page string
	// Logout is `[METHOD] /path` that signs out, "" to find it.
	Logout string
	// Timeout bounds each request.
	Timeout time.Duration
}

// Run checks. It sends the console one bad and one good login, reads a few
// pages and signs out.
func (c Check) Run(ctx context.Context) *Report {
	r := &run{Check: c, Report: new(Report), client: newClient(&c)}
	r.hide(c.Password)
	defer r.client.http.CloseIdleConnections()
	if !r.loginPage(ctx) {
		return r.Report
	}
	if r.badLogin(ctx) {
		r.goodLogin(ctx)
	}
	r.always()
	return r.Report
}

// run is one check under way.
type run struct {
	Check
	*Report
	client *client
}

// entry is the login page as one browser got it.
type entry struct {
	form  form
	found bool
	jar   jar
}

// returnTo is the page that the login page is asked to lead back to.
func (r *run) returnTo() string {
	if r.Page != "" {
		return r.Page
	}
	return "/"
}

// pageOfLogin is where a stranger is led.
func (r *run) pageOfLogin() string {
	at := strings.ReplaceAll(r.Console.LoginPage, "{return}", url.QueryEscape(r.returnTo()))
	for {
		before, rest, more := strings.Cut(at, "{query.")
		_, after, closed := strings.Cut(rest, "}")
		if !more || !closed {
			return at
		}
		at = before + after
	}
}

// loginPage looks at it as a stranger. It is false if there is no console.
func (r *run) loginPage(ctx context.Context) bool {
	r.part("Login page: GET " + r.pageOfLogin())
	a, err := r.client.get(ctx, r.pageOfLogin(), nil)
	if err != nil {
		r.wrong("the console does not answer: %v; give the console's own address, as the gateway would reach it", err)
		return false
	}
	r.answered(a, "")
	r.otherCookies(a)
	if a.Status != http.StatusOK {
		r.unclear("the login page answers %d instead of showing a form: make login_page the address that shows it", a.Status)
	}
	if set := r.Console.Changes(a.Header, time.Now()).Set; len(set) > 0 {
		r.hideAll(set)
		r.wrong("the login page sets %s before anybody signed in: the gateway takes that for a login and withholds the page; "+
			"if the login sets another cookie without which this one means nothing, name only that one in session_cookies", strings.Join(cookieNames(set), ", "))
	}
	r.assets(readPage(a.Body))
	return true
}

// assets finds what the page needs and strangers would not get.
func (r *run) assets(p page) {
	for _, link := range p.loads {
		target, err := r.client.local(link)
		if err != nil {
			continue // another host's
		}
		get, err := http.NewRequest(http.MethodGet, r.Base.String(), nil)
		if err != nil {
			continue
		}
		if get.URL, err = r.Base.Parse(target); err != nil {
			continue
		}
		if q, err := match.Read(get, nil); err != nil || !r.Console.Public.All(q) {
			r.unclear("the login page loads %s, which is not public: look whether the page works without it, or name it in `public`", get.URL.EscapedPath())
		}
	}
}

// enter gets the login page in a browser of its own.
func (r *run) enter(ctx context.Context) entry {
	e := entry{jar: jar{console: r.Console}}
	a, err := r.client.get(ctx, r.pageOfLogin(), nil)
	if err != nil {
		return e
	}
	e.jar.take(a.Header, time.Now())
	r.hideAll(e.jar.cookies)
	e.form, e.found = readPage(a.Body).withField(r.Console.Logins[r.Rule].Username.Form)
	for _, values := range e.form.fields {
		r.hideTokens(values)
	}
	return e
}

// badLogin is false if it could not be sent, as no other could.
func (r *run) badLogin(ctx context.Context) bool {
	r.part("Bad login: " + r.Name + " with a wrong password")
	done, ok := r.login(ctx, rand.Text())
	if !ok {
		return false
	}
	r.Bad = done.verdict.Outcome
	if r.Bad == firstfactor.Failure {
		return true
	}
	r.wrong("a bad login is %s%s: say in `failure` what a failed answer looks like, and in `success` what it never has", r.Bad, because(done.verdict.Differs))
	if done.attempt.Basic == "" && len(done.person()) > 0 {
		r.leave(ctx, done, nil)
	}
	return true
}

func (r *run) goodLogin(ctx context.Context) {
	r.part("Good login: " + r.Name)
	done, ok := r.login(ctx, r.Password)
	if !ok {
		return
	}
	r.Good = done.verdict.Outcome
	if r.Good == firstfactor.Success {
		r.named(ctx, done)
		r.probes(ctx, done)
	} else {
		r.wrong("a good login is %s%s: %s", r.Good, because(done.verdict.Differs), r.remedy(done))
	}
	if done.attempt.Basic != "" && r.Good != firstfactor.Success || len(done.all()) == 0 {
		return // more of the same wrong credentials might lock the person out
	}
	opened := r.pages(ctx, done)
	if done.attempt.Basic == "" && (r.Good != firstfactor.Failure || opened != nil) {
		r.leave(ctx, done, opened)
	}
}

// remedy is what to do about a good login that is no success.
func (r *run) remedy(done *login) string {
	const again = "look at the lines above; if the name and the password are right, make `success` say what this answer has"
	switch {
	case len(done.verdict.Credentials) > 0:
		return again
	case len(done.jar.names()) > 0:
		return again + ", and name in session_cookies those of " + strings.Join(done.jar.names(), ", ") + " that make the console know the person"
	default:
		return again + ", and say in session_cookies, session_headers or session_tokens what makes the console know the person"
	}
}

func because(differs string) string {
	if differs == "" {
		return ""
	}
	return " (" + differs + ")"
}

// named looks at the name that the console gave.
func (r *run) named(ctx context.Context, done *login) {
	name := done.verdict.Identity.Subject().Name
	for _, c := range done.verdict.Credentials {
		if plain, _ := url.QueryUnescape(c.Value); !strings.EqualFold(name, r.Name) && (name == c.Value || name == plain) {
			r.wrong("the name is the whole value of a session credential: say in `subject` where the console names the person, or give a pattern with one group")
			return
		}
	}
	r.Subject = name
	r.say("the console calls the person %q", name)
	if r.Console.Subject.Typed {
		r.unclear("the name is what was typed: try capitals, blanks and a mail address in its place; if the console takes one of them, use another `subject`")
	}
	if r.Console.Subject.Probe == "" || done.attempt.Basic != "" {
		return
	}
	blind := r.Console.Judge(ctx, realm, done.attempt, done.answer, r.client.stranger, time.Now())
	if blind.Outcome == firstfactor.Success {
		r.wrong("the probe %s names somebody to strangers too: choose an address that knows the person by the session", r.Console.Subject.Probe)
	}
}

// always are the questions that two logins cannot answer.
func (r *run) always() {
	r.unclear("whether the console takes other spellings of a name: run this again with a mail address or capitals as --name; it must say the same person, or fail")
	r.unclear("whether name and password work anywhere else (Basic, XML-RPC, any request's fields, remember-me): docs/presets.md says how to try, and `refuse` closes what is found")
}

func (r *run) hideAll(credentials []firstfactor.Credential) {
	for _, c := range credentials {
		if !strings.EqualFold(c.Value, r.Name) {
			r.hide(c.Value)
		}
	}
}

// hideTokens hides a form's tokens against forgery, but not the addresses
// that it leads to.
func (r *run) hideTokens(values []string) {
	for _, v := range values {
		if !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "http") {
			r.hide(v)
		}
	}
}

func cookieNames(set []firstfactor.Credential) (names []string) {
	for _, c := range set {
		if c.Cookie == "" {
			names = append(names, "a token")
		} else {
			names = append(names, c.Cookie)
		}
	}
	return slices.Compact(names)
}
