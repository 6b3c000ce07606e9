package firstfactor

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/stepgate/stepgate/match"
)

// Prepare checks the description and readies it for use. Its errors name the
// word and the remedy.
func (c *Console) Prepare() error {
	c.prepareBasic()
	errs := []error{c.checkLoginPage(), c.checkCookies()}
	if len(c.Logins) == 0 {
		errs = append(errs, errors.New("login: say which request signs a person in, as `login POST /login {…}`, or name a preset"))
	}
	for i := range c.Logins {
		if err := c.Logins[i].Check(); err != nil {
			errs = append(errs, fmt.Errorf("login: %w", err))
		}
	}
	if c.Subject == nil {
		errs = append(errs, errors.New("subject: say where the console names the person: cookie, header, json or probe"))
	} else if err := c.Subject.Prepare(); err != nil {
		errs = append(errs, fmt.Errorf("subject: %w", err))
	}
	if c.Subject != nil && c.Subject.Typed && c.Federates() {
		errs = append(errs, errors.New("subject: typed names nobody who comes from an issuer; say where the console names the person: cookie, header, json or probe"))
	}
	for _, m := range slices.Concat(c.Public, c.Logout, c.PasswordChange, c.Refuse) {
		errs = append(errs, m.Validate())
	}
	for _, e := range c.TokenEndpoints {
		errs = append(errs, e.check())
	}
	return errors.Join(errs...)
}

// checkLoginPage also makes the page public: people without a session are led
// to it. Basic credentials need none, a browser can ask for them.
func (c *Console) checkLoginPage() error {
	if c.LoginPage == "" && c.HasBasic() {
		return nil
	}
	page, rawQuery, _ := strings.Cut(c.LoginPage, "?")
	fields, err := url.ParseQuery(rawQuery)
	if err != nil || !strings.HasPrefix(page, "/") || strings.HasPrefix(page, "//") {
		return fmt.Errorf("login_page %q: give the path that shows the console's login form, as /login", c.LoginPage)
	}
	public := match.Match{Methods: []string{http.MethodGet, http.MethodHead}, Paths: []string{page},
		Query: make(map[string]string)}
	for name := range fields {
		if value := fields.Get(name); !strings.ContainsRune(value, '{') {
			public.Query[name] = value
		}
	}
	c.Public = append(slices.Clone(c.Public), public)
	return nil
}

func (c *Console) checkCookies() error {
	if len(c.SessionCookies)+len(c.SessionTokens)+len(c.SessionHeaders) == 0 {
		return errors.New("session_cookie: name the cookies that make the console know a person")
	}
	if len(c.SessionTokens) == 0 && !c.HasBasic() && len(c.SessionFields)+len(c.SessionMessages) > 0 {
		return errors.New("session_token: a session_field or session_message takes the tokens of a login's answer; say where they stand, as `session_token json /access_token`")
	}
	for _, pattern := range c.SessionCookies {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("session_cookie %q: a broken [class]", pattern)
		}
	}
	return nil
}

// check reports what a warning about the endpoint could not say.
func (e TokenEndpoint) check() error {
	switch {
	case len(e.Paths) == 0 || len(e.Matcher) > 0:
		return errors.New("token_endpoints: name the paths, as \"paths\": [\"/api/*\"]")
	case e.Takes == "":
		return fmt.Errorf("token_endpoints %s: say what it takes, as \"takes\": \"API keys\"", e.Paths[0])
	}
	return e.Validate()
}

// Check reports what a login lacks, and sets what it leaves out.
func (l *Login) Check() error {
	if err := l.Match.Validate(); err != nil {
		return err
	}
	if l.Username.Basic {
		return l.checkBasic()
	}
	if l.Federated != nil {
		return l.checkFederated()
	}
	if (l.Username.Form == "") == (l.Username.JSON == "") {
		return errors.New("username: name the field, as `username form user` or `username json /user`; or `username basic`")
	}
	if l.Username.Anywhere && l.Username.Form == "" {
		return errors.New("username: only a form's field can stand anywhere")
	}
	return l.checkSuccess()
}

func (l *Login) checkSuccess() error {
	if l.Success.zero() {
		return errors.New("success: say what a successful answer looks like, as `success set_cookie session`")
	}
	return l.checkAnswer()
}

// checkAnswer checks what every login says of the console's answer.
func (l *Login) checkAnswer() error {
	for _, probe := range []string{l.Success.Probe, l.Failure.Probe} {
		if err := checkProbe(probe); err != nil {
			return err
		}
	}
	if l.Hold == "" {
		l.Hold = HoldAll
	}
	if l.Hold != HoldAll && l.Hold != HoldCookies {
		return fmt.Errorf("hold %q: it is `all` or `cookies`", l.Hold)
	}
	return nil
}

func checkProbe(path string) error {
	if path != "" && (path[0] != '/' || strings.HasPrefix(path, "//")) {
		return fmt.Errorf("probe %q: give a path of the console, as /whoami", path)
	}
	return nil
}

func (c Condition) zero() bool {
	return len(c.Status)+len(c.SetCookies)+len(c.Headers)+len(c.JSON) == 0 &&
		c.Location+c.Body+c.Probe == ""
}

// Prepare checks where the name stands, and compiles the pattern.
func (s *Subject) Prepare() error {
	sources := 0
	for _, set := range []bool{s.Cookie != "", s.Header != "", s.JSON != "" || s.Probe != "", s.Typed} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		return errors.New("name exactly one of cookie, header, json, probe and typed")
	}
	if s.JSON != "" && s.JSON[0] != '/' {
		return fmt.Errorf("json %q: a pointer begins with /, as /user", s.JSON)
	}
	if err := checkProbe(s.Probe); err != nil {
		return err
	}
	for _, d := range slices.Concat(s.Decode, s.DecodeName) {
		if d != "url" && d != "base64" {
			return fmt.Errorf("decode %q: it is `url` or `base64`", d)
		}
	}
	return s.compile()
}

func (s *Subject) compile() error {
	if s.Pattern == "" {
		return nil
	}
	if !strings.HasPrefix(s.Pattern, "^") {
		return fmt.Errorf("pattern %q: begin it with ^, or it may match in the middle of what the person chose", s.Pattern)
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		return fmt.Errorf("pattern %q: %w", s.Pattern, err)
	}
	// In a group of its own, so that ^ holds for every alternative.
	s.pattern = regexp.MustCompile("^(?:" + s.Pattern + ")")
	if s.pattern.NumSubexp() != 1 {
		return fmt.Errorf("pattern %q: it needs exactly one group, the name", s.Pattern)
	}
	return nil
}
