package firstfactor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/match"
)

func basicConsole(t *testing.T, change ...func(*Console)) *Console {
	t.Helper()
	c := &Console{
		Logins: []Login{{Match: match.Match{Paths: []string{"/api/*"}}, Username: Field{Basic: true},
			Success: Condition{Probe: "/whoami"}}},
		Subject: &Subject{Probe: "/whoami", JSON: "/name"},
	}
	for _, change := range change {
		change(c)
	}
	if err := c.Prepare(); err != nil {
		t.Fatal(err)
	}
	return c
}

func basicRequest(t *testing.T, path string, lines ...string) *match.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodDelete, "http://console.test"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = lines
	q, err := match.Read(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func nobody(string) bool { return false }

func TestBasicAttempts(t *testing.T) {
	c := basicConsole(t)
	for what, want := range map[string]struct {
		path  string
		lines []string
		name  string // "" for no login
		fails bool
	}{
		"credentials":          {"/api/x", []string{"Basic YTpi"}, "a", false},
		"in any case":          {"/api/x", []string{"bAsIc YTpi"}, "a", false},
		"with blanks":          {"/api/x", []string{"Basic   YTpi "}, "a", false},
		"any reading":          {"/%61pi/x", []string{"Basic YTpi"}, "a", false},
		"an empty password":    {"/api/x", []string{"Basic YTo="}, "a", false},
		"a colon in it":        {"/api/x", []string{"Basic YTpiOmM="}, "a", false},
		"elsewhere":            {"/other", []string{"Basic YTpi"}, "", false},
		"none":                 {"/api/x", nil, "", false},
		"another scheme":       {"/api/x", []string{"Bearer YTpi"}, "", false},
		"a longer scheme":      {"/api/x", []string{"Basically YTpi"}, "", false},
		"no scheme":            {"/api/x", []string{"YTpi"}, "", false},
		"two":                  {"/api/x", []string{"Basic YTpi", "Basic YTpi"}, "", true},
		"two, one of a scheme": {"/api/x", []string{"Bearer x", "Basic YTpi"}, "", true},
		"a tab":                {"/api/x", []string{"Basic\tYTpi"}, "", true},
		"a tab and a blank":    {"/api/x", []string{"Basic\t YTpi"}, "", true},
		"no value":             {"/api/x", []string{"Basic"}, "", true},
		"no padding":           {"/api/x", []string{"Basic YTo"}, "", true},
		"stray bits":           {"/api/x", []string{"Basic YTp="}, "", true},
		"a line break":         {"/api/x", []string{"Basic YT\npi"}, "", true},
		"no name":              {"/api/x", []string{"Basic OmI="}, "", true},
		"too long":             {"/api/x", []string{"Basic " + strings.Repeat("YTpi", 2000)}, "", true},
	} {
		a, err := c.Basic(basicRequest(t, want.path, want.lines...), nobody)
		switch {
		case want.fails && !errors.Is(err, ErrLogin):
			t.Errorf("%s: %v", what, err)
		case !want.fails && (err != nil || (a != nil) != (want.name != "")):
			t.Errorf("%s: %v, %v", what, a, err)
		case a != nil && (a.Typed != want.name || a.Basic == ""):
			t.Errorf("%s: %+v", what, a)
		}
	}
	bound := func(value string) bool { return value == "YTpi" }
	if a, err := c.Basic(basicRequest(t, "/api/x", "Basic YTpi"), bound); a != nil || err != nil {
		t.Errorf("the session's own: %v, %v", a, err)
	}
	if a, err := c.Basic(basicRequest(t, "/api/x", "Basic YjpiOg=="), bound); a == nil || err != nil {
		t.Errorf("another one: %v, %v", a, err)
	}
}

func TestBasicJudged(t *testing.T) {
	for what, want := range map[string]struct {
		status  int
		body    string
		outcome Outcome
	}{
		"good":      {200, `{"name":"alice"}`, Success},
		"wrong":     {401, ``, Failure},
		"locked":    {403, `{"name":"alice"}`, Unclear},
		"elsewhere": {302, ``, Unclear},
		"broken":    {500, ``, Unclear},
		"nobody":    {200, `{}`, Unclear},
		"two":       {200, `{"name":"alice","name":"bob"}`, Unclear},
		"no JSON":   {200, `<html>`, Unclear},
	} {
		c := basicConsole(t)
		probe := func(context.Context, string, []Credential) (escrow.Answer, error) {
			t.Errorf("%s: asked twice", what)
			return escrow.Answer{}, nil
		}
		v := c.JudgeBasic(t.Context(), "staff", &Attempt{Rule: &c.Logins[0], Typed: "ALICE", Basic: "YTpi"},
			escrow.Answer{Status: want.status, Header: http.Header{}, Body: []byte(want.body)}, probe, time.Now())
		if v.Outcome != want.outcome || v.Outcome == Unclear && v.Differs == "" {
			t.Errorf("%s: %v %q", what, v.Outcome, v.Differs)
		}
		if named := !v.Identity.IsZero(); named != (v.Outcome == Success) {
			t.Errorf("%s: names %v", what, v.Identity.Subject())
		}
		if v.Outcome == Success && (v.Identity.Subject().String() != "staff/alice" || len(v.Credentials) != 1 || v.Credentials[0].Value != "YTpi") {
			t.Errorf("%s: %+v", what, v)
		}
	}
}

// TestBasicProbesElsewhere: a subject of another path is asked for there, with
// the credentials and nothing else.
func TestBasicProbesElsewhere(t *testing.T) {
	c := basicConsole(t, func(c *Console) { c.Subject = &Subject{Probe: "/me"} })
	probe := func(_ context.Context, path string, with []Credential) (escrow.Answer, error) {
		h := http.Header{}
		for _, credential := range with {
			c.Present(h, credential)
		}
		if path != "/me" || len(h) != 1 || h.Get("Authorization") != "Basic YTpi" {
			t.Errorf("asked %s with %v", path, h)
		}
		return escrow.Answer{Status: 200, Body: []byte("alice")}, nil
	}
	v := c.JudgeBasic(t.Context(), "staff", &Attempt{Rule: &c.Logins[0], Typed: "a", Basic: "YTpi"},
		escrow.Answer{Status: 200, Header: http.Header{}}, probe, time.Now())
	if v.Identity.Subject().Name != "alice" {
		t.Errorf("%+v", v)
	}
}

func TestBasicChecks(t *testing.T) {
	good := Login{Match: match.Match{Paths: []string{"*"}}, Username: Field{Basic: true}, Success: Condition{Probe: "/whoami"}}
	for what, change := range map[string]func(*Login){
		"and a form":     func(l *Login) { l.Username.Form = "user" },
		"anywhere":       func(l *Login) { l.Username.Anywhere = true },
		"with fields":    func(l *Login) { l.Fields = map[string]string{"do": "login"} },
		"without probe":  func(l *Login) { l.Success = Condition{Status: []int{200}} },
		"foreign probe":  func(l *Login) { l.Success.Probe = "//elsewhere/whoami" },
		"hold elsewhere": func(l *Login) { l.Hold = HoldCookies },
	} {
		l := good
		change(&l)
		if l.Check() == nil {
			t.Errorf("%s is good", what)
		}
	}
	c := basicConsole(t)
	if c.SessionHeaders[0] != "Authorization" || c.Logins[0].Failure.Status[0] != http.StatusUnauthorized {
		t.Errorf("left out: %+v", c)
	}
}

func TestRabbitMQPreset(t *testing.T) {
	c, err := Console{Preset: "rabbitmq"}.WithPreset()
	if err == nil {
		err = c.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/whoami", "/api/queues/%2F/x", "/"} {
		if a, err := c.Basic(basicRequest(t, path, "Basic YTpi"), nobody); a == nil || err != nil {
			t.Errorf("%s: %v %v", path, a, err)
		}
	}
}
