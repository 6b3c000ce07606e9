package presetcheck

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
)

// login is one that was sent and judged.
type login struct {
	attempt *firstfactor.Attempt
	answer  escrow.Answer
	verdict firstfactor.Verdict
	jar     jar // what the browser has besides the session
}

// person is what makes the console know the person: only cookies that the
// answer leaves.
func (l *login) person() []firstfactor.Credential { return l.verdict.Credentials }

// all is what the person's browser would send.
func (l *login) all() []firstfactor.Credential {
	return slices.Concat(l.verdict.Credentials, l.jar.cookies)
}

// login signs in with a password, in a browser of its own, and judges the
// answer as the gateway does.
func (r *run) login(ctx context.Context, password string) (*login, bool) {
	if r.Console.Logins[r.Rule].Username.Basic {
		return r.basicLogin(ctx, password)
	}
	e := r.enter(ctx)
	request, err := r.loginRequest(ctx, e, password)
	if err != nil {
		r.wrong("the login cannot be made up: %v", err)
		return nil, false
	}
	attempt, ok := r.recognized(request)
	if !ok {
		return nil, false
	}
	attempt.OnlyTyped(request.Header)
	a, err := r.client.send(request)
	if err != nil {
		r.wrong("the login is not answered: %v", err)
		return nil, false
	}
	done := &login{attempt: attempt, answer: a, jar: e.jar}
	done.verdict = r.Console.Judge(ctx, realm, attempt, a, r.client.probe, time.Now())
	r.finish(ctx, done)
	return done, true
}

// finish keeps what an answer sets, and says what it holds.
func (r *run) finish(ctx context.Context, done *login) {
	done.jar.take(done.answer.Header, time.Now())
	r.hideAll(done.all())
	r.shown(ctx, done)
}

// recognized is the request as the gateway takes it.
func (r *run) recognized(request *http.Request) (*firstfactor.Attempt, bool) {
	r.say("%s %s", request.Method, request.URL.Path)
	q, err := match.Read(request, nil)
	if err != nil {
		r.wrong("the login's address cannot be read: %v", err)
		return nil, false
	}
	attempt, err := r.Console.Attempt(q, false)
	switch {
	case errors.Is(err, firstfactor.ErrElsewhere):
		r.wrong("the console's form is sent to %s %s, which no login rule names, so that the gateway refuses it: add it to the login's paths", q.Method, q.URL.Path)
	case err != nil:
		r.wrong("the gateway would refuse the login: %v", err)
	case attempt == nil:
		r.wrong("no login rule takes %s %s for a login, so that nobody could sign in: name the method, the path and the field as the console's form has them", q.Method, q.URL.Path)
	}
	return attempt, err == nil && attempt != nil
}

// shown says what an answer to a login holds.
func (r *run) shown(ctx context.Context, l *login) {
	r.answered(l.answer, "")
	switch set := l.verdict.Credentials; {
	case l.attempt.Basic != "":
		r.say("the credentials themselves are what makes the console know the person")
	case len(set) > 0:
		r.say("sets session credentials: %s", strings.Join(cookieNames(set), ", "))
	default:
		r.say("sets no session credential")
	}
	r.otherCookies(l.answer)
	r.conditions(ctx, "success", l.attempt.Rule.Success, l)
	r.conditions(ctx, "failure", l.attempt.Rule.Failure, l)
	r.say("outcome: %s%s", l.verdict.Outcome, because(l.verdict.Differs))
}

// otherCookies are candidates for session_cookies.
func (r *run) otherCookies(a escrow.Answer) {
	other := jar{console: r.Console}
	other.take(a.Header, time.Now())
	r.hideAll(other.cookies)
	if names := other.names(); len(names) > 0 {
		r.say("sets cookies that session_cookies does not name: %s", strings.Join(names, ", "))
	}
}

func (r *run) conditions(ctx context.Context, word string, c firstfactor.Condition, l *login) {
	probe := func(ctx context.Context, path string, _ []firstfactor.Credential) (escrow.Answer, error) {
		return r.client.probe(ctx, path, l.person())
	}
	for _, f := range r.Console.Explain(ctx, c, l.answer, probe, time.Now()) {
		if f.Differs == nil {
			r.say("%s %s: holds", word, f.Part)
		} else {
			r.say("%s %s: does not hold (%v)", word, f.Part, f.Differs)
		}
	}
}

// answered says how an answer begins, without what may hold a token.
func (r *run) answered(a escrow.Answer, before string) {
	line := before + fmt.Sprintf("answered %d", a.Status)
	if at := a.Header.Get("Location"); at != "" {
		at, _, _ = strings.Cut(at, "?")
		at, _, _ = strings.Cut(at, "#")
		line += " to " + at
	}
	if kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";"); kind != "" && a.Status == http.StatusOK {
		line += ", " + kind
	}
	r.say("%s", line)
}

// loginRequest is what the console's own page would send.
func (r *run) loginRequest(ctx context.Context, e entry, password string) (*http.Request, error) {
	rule := r.Console.Logins[r.Rule]
	if rule.Username.JSON != "" {
		return r.jsonLogin(ctx, rule, password)
	}
	f := r.formOf(rule, e)
	f.fields.Set(rule.Username.Form, r.Name)
	f.fields.Set(cmp.Or(r.PasswordField, f.password, "password"), password)
	for name, value := range r.Fields {
		f.fields.Set(name, value)
	}
	target, err := r.client.local(f.action)
	if err != nil {
		return nil, err
	}
	return r.typed(ctx, f.method, target, "application/x-www-form-urlencoded", f.fields.Encode(), e.jar)
}

// formOf is the login page's form, or what the rule says of it where a script
// makes or sends it.
func (r *run) formOf(rule firstfactor.Login, e entry) form {
	f := e.form
	if !e.found {
		f.fields = make(url.Values)
	}
	for name, value := range rule.Fields {
		f.fields.Set(name, value)
	}
	if r.PasswordField == "" && f.password == "" {
		r.say("the login page shows no such form: the password is sent as the field `password`; --password-field names another")
	} else {
		r.say("the password is sent as the field `%s`", cmp.Or(r.PasswordField, f.password))
	}
	if e.found && f.action == "" && r.postsTo(rule, r.pageOfLogin()) {
		f.action = r.pageOfLogin()
	}
	if f.action == "" || f.method != http.MethodPost {
		f.method, f.action = address(rule.Match, http.MethodPost)
	}
	return f
}

// postsTo tells whether a form that names no target is sent by the browser
// itself: to a login, at the page's own address.
func (r *run) postsTo(rule firstfactor.Login, target string) bool {
	request, err := r.client.request(context.Background(), http.MethodPost, target, "")
	if err != nil {
		return false
	}
	q, err := match.Read(request, nil)
	return err == nil && rule.Match.Any(q)
}

func (r *run) jsonLogin(ctx context.Context, rule firstfactor.Login, password string) (*http.Request, error) {
	body := make(map[string]any)
	given := map[string]string{rule.Username.JSON: r.Name,
		cmp.Or(r.PasswordField, path.Dir(rule.Username.JSON)+"/password"): password}
	for at, value := range r.Fields {
		given[at] = value
	}
	for at, value := range given {
		if err := put(body, strings.TrimLeft(at, "/"), value); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	method, target := address(rule.Match, http.MethodPost)
	return r.typed(ctx, method, target, "application/json", string(text), jar{console: r.Console})
}

// put sets a value in nested objects, by the steps of a JSON pointer.
func put(object map[string]any, steps, value string) error {
	step, rest, deeper := strings.Cut(steps, "/")
	step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	if !deeper {
		object[step] = value
		return nil
	}
	inner, ok := object[step].(map[string]any)
	if object[step] != nil && !ok {
		return fmt.Errorf("the field %s is both a value and an object", step)
	}
	if !ok {
		inner = make(map[string]any)
		object[step] = inner
	}
	return put(inner, rest, value)
}

// typed is a request as a browser sends it from the login page.
func (r *run) typed(ctx context.Context, method, target, kind, body string, from jar) (*http.Request, error) {
	request, err := r.client.request(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Origin", r.client.origin())
	request.Header.Set("Referer", r.client.origin()+r.pageOfLogin())
	r.client.carry(request.Header, from.cookies)
	return request, nil
}

// address is a request that a rule means: its first method, or this one, and
// its first path without what stands for anything.
func address(m match.Match, method string) (string, string) {
	target := "/"
	if len(m.Methods) > 0 {
		method = m.Methods[0]
	}
	if len(m.Paths) > 0 {
		target = strings.ReplaceAll(m.Paths[0], "*", "")
	}
	query := make(url.Values)
	for name, pattern := range m.Query {
		query.Set(name, strings.ReplaceAll(pattern, "*", ""))
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return method, target
}
