package firstfactor

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/match"
)

// Federated describes a console that signs people in by an issuer of its own
// choice (OpenID Connect, RFC 6749). The console alone can check what the
// issuer says. That it did shows in three things that Stepgate sees: the
// redirect to the issuer with a state that nobody can guess, the callback with
// it in the same browser, and the session that the console then opens.
// Anything less is a login like any other.
type Federated struct {
	// Issuers are the addresses that the console may send people to: an origin,
	// as https://id.example.com, or an address below which the issuer's
	// authorization endpoint lies, as https://id.example.com/realms/staff.
	Issuers []string `json:"issuers"`
}

// check reports what the allow-list lacks.
func (f *Federated) check() error {
	if len(f.Issuers) == 0 {
		return errors.New("federated: name the issuers that the console sends people to, as `federated https://id.example.com`")
	}
	for _, issuer := range f.Issuers {
		u, err := url.Parse(issuer)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
			u.RawQuery+u.Fragment != "" || u.ForceQuery || !plainPath(u) {
			return fmt.Errorf("federated %q: give an issuer's address, as https://id.example.com or https://id.example.com/realms/staff", issuer)
		}
	}
	return nil
}

func plainPath(u *url.URL) bool { return u.Path == "" || match.Plain(u) }

// checkFederated reports what a login by an issuer has too much or too little.
func (l *Login) checkFederated() error {
	methods := slices.DeleteFunc(slices.Clone(l.Match.Methods), func(m string) bool { return m == http.MethodGet })
	switch {
	case l.Username != (Field{}) || len(l.Fields) > 0:
		return errors.New("federated: the person types nothing for the console to see; leave out username and field")
	case len(methods) > 0:
		return fmt.Errorf("federated: the issuer's answer is watched for where a browser opens it as a page, and not by %s; write `login GET /callback`", methods[0])
	}
	if err := l.Federated.check(); err != nil {
		return err
	}
	return l.checkSuccess()
}

// Federates tells whether an issuer can sign people in to the console.
func (c *Console) Federates() bool {
	return slices.ContainsFunc(c.Logins, func(l Login) bool { return l.Federated != nil })
}

// mayBeAt tells whether a rule is about a request's path under any reading. Of
// a callback every method counts: it has to be told from one by form_post.
func (l *Login) mayBeAt(q *match.Request) bool {
	if l.Federated == nil {
		return l.Match.Any(q)
	}
	m := l.Match
	m.Methods = nil
	return m.Any(q)
}

// errBody: consoles look for a local login in bodies of any kind and method.
var errBody = fmt.Errorf("%w: an issuer's answer with a body", ErrLogin)

// errFormPost: its cookies stay away from a form that another site sends, and
// so would the evidence.
var errFormPost = fmt.Errorf("%w: the issuer's answer comes as a form; have the console ask for response_mode query", ErrLogin)

// callback tells whether a request is an issuer's answer (RFC 6749, section
// 4.1.2): a state, and a code or an error. Each stands once.
func (f *fields) callback(q *match.Request, rule *Login) (*Attempt, error) {
	state, inQuery, found, err := f.username(Field{Form: "state"})
	answers := false
	for _, name := range []string{"code", "error"} {
		_, _, has, e := f.username(Field{Form: name})
		answers, err = answers || has, errors.Join(err, e)
	}
	switch {
	case err != nil || !found || !answers:
		return nil, err
	case !inQuery || q.Method != http.MethodGet:
		return nil, errFormPost
	case f.size != 0:
		return nil, errBody
	case !rule.Match.Every(q):
		return nil, errTwoWays
	}
	return &Attempt{Rule: rule, InQuery: true, state: state, fields: f}, nil
}

// Callback tells whether the login is an issuer's answer.
func (a *Attempt) Callback() bool { return a.Rule.Federated != nil }

// alone sees to it that an issuer's answer signs nobody in by anything else:
// it must not carry what a local login takes.
func (c *Console) alone(a *Attempt) error {
	for i := range c.Logins {
		name := c.Logins[i].Username.Form
		if name == "" {
			continue
		}
		if found, err := a.fields.values(name); err != nil || len(found) > 0 {
			return ErrElsewhere
		}
		a.local = append(a.local, name)
	}
	return nil
}

// Prove takes a start for the evidence that this callback belongs to it, if it
// does. Whoever calls it has spent the start.
func (a *Attempt) Prove(s Start, now time.Time) {
	if a.Answers(s, now) {
		a.start = &s
	}
}

// Answers tells whether the login is the issuer's answer to a start.
func (a *Attempt) Answers(s Start, now time.Time) bool {
	return a.Callback() && a.state != "" && s.State == digestOf(a.state) && slices.Contains(a.Rule.Federated.Issuers, s.Issuer) &&
		now.Before(s.Until()) && !now.Before(s.At)
}

// provedBy names the source of a login: the console, or the issuer whom the
// console asked before everybody's eyes.
func (a *Attempt) provedBy() (source string, evidence *identity.Evidence) {
	if a == nil || a.start == nil {
		return SourceConsole, nil
	}
	return SourceFederated, &identity.Evidence{Issuer: a.start.Issuer}
}

// StartOf reads an answer by which the console sends a browser to one of
// its issuers (RFC 6749, section 4.1.1). found is false for every other answer. An
// error says why the callback could not be known again.
func (c *Console) StartOf(asked *match.Request, status int, h http.Header, now time.Time) (s Start, found bool, err error) {
	if status/100 != 3 || len(h["Location"]) != 1 {
		return s, false, nil
	}
	u, err := url.Parse(h["Location"][0])
	if err != nil {
		return s, false, nil
	}
	issuer := c.issuerOf(u)
	q := u.Query()
	if issuer == "" || !q.Has("response_type") && !q.Has("request_uri") && !q.Has("request") {
		return s, false, nil // an account page, a logout, any other site
	}
	if err := checkRequest(q); err != nil {
		return s, false, fmt.Errorf("the console sends people to %s %w", issuer, err)
	}
	if asked.Says(q.Get("state")) {
		return s, false, fmt.Errorf("the console sends people to %s %w", issuer, errNamed)
	}
	return newStart(issuer, q.Get("state"), now), true, nil
}

// errNamed: a console that leads anywhere leads to its issuers too, and who
// made the link knows the state. Only what the console chose proves anything.
var errNamed = errors.New("with a state that stands in the address of the request itself")

// checkRequest wants a request whose answer a gateway can watch: the state in
// sight, and a code in the callback's address.
func checkRequest(q url.Values) error {
	for name, want := range map[string]string{"response_type": "code", "response_mode": "query"} {
		if values := q[name]; len(values) > 1 || len(values) == 1 && values[0] != want {
			return fmt.Errorf("with %s %q; a federated login is understood with %s", name, values, want)
		}
	}
	if len(q["state"]) != 1 || q.Get("state") == "" {
		return errors.New("without a state in the address (as in pushed or signed requests); no callback could be told from a forged one")
	}
	return nil
}

// issuerOf is the allowed issuer that an address belongs to.
func (c *Console) issuerOf(u *url.URL) string {
	if u.User != nil || !plainPath(u) {
		return ""
	}
	for i := range c.Logins {
		if c.Logins[i].Federated == nil {
			continue
		}
		for _, issuer := range c.Logins[i].Federated.Issuers {
			if within(u, issuer) {
				return issuer
			}
		}
	}
	return ""
}

func within(u *url.URL, issuer string) bool {
	base, err := url.Parse(issuer)
	if err != nil || u.Scheme != base.Scheme || !strings.EqualFold(u.Host, base.Host) {
		return false
	}
	at := strings.TrimSuffix(base.Path, "/")
	return u.Path == at || strings.HasPrefix(u.Path, at+"/")
}
