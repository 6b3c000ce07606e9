package firstfactor

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/match"
)

func tokenConsole() *Console {
	return &Console{SessionFields: []string{"access_token"}, SessionMessages: []string{"auth"}}
}

func ownToken(token string) bool { return token == "own" }

// TestOwnFields: a token stands where it may if the session's login brought it,
// and nowhere otherwise.
func TestOwnFields(t *testing.T) {
	places := map[string]func(token string) *match.Request{
		"query":    func(s string) *match.Request { return sent(t, "GET", "/x?a=1&access_token="+s, "", "") },
		"escaped":  func(s string) *match.Request { return sent(t, "GET", "/x?%61ccess_token="+s, "", "") },
		"form":     func(s string) *match.Request { return sent(t, "POST", "/x", form, "access_token="+s) },
		"GET form": func(s string) *match.Request { return sent(t, "GET", "/x", form, "access_token="+s) },
		"JSON":     func(s string) *match.Request { return sent(t, "PUT", "/x", jsonType, `{"access_token":"`+s+`"}`) },
		"JSON text": func(s string) *match.Request {
			return sent(t, "PUT", "/x", "text/json+json", `{"access_token":"`+s+`"}`)
		},
		"escaped JSON": func(s string) *match.Request {
			return sent(t, "PUT", "/x", jsonType, `{"a":[1,{}],"access\u005ftoken":"`+s+`"}`)
		},
		"twice": func(s string) *match.Request { return sent(t, "GET", "/x?access_token=own&access_token="+s, "", "") },
		"JSON twice": func(s string) *match.Request {
			return sent(t, "PUT", "/x", jsonType, `{"access_token":"own","Access_Token":"`+s+`"}`)
		},
		"multipart": func(s string) *match.Request {
			return sent(t, "POST", "/x", multi, strings.ReplaceAll(strings.ReplaceAll(multiHead, `"u"`, `"access_token"`), "alice", s)+"--b--\r\n")
		},
	}
	for what, request := range places {
		if err := tokenConsole().OwnFields(request("own"), ownToken); err != nil {
			t.Errorf("%s: the session's own token: %v", what, err)
		}
		if err := tokenConsole().OwnFields(request("other"), ownToken); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: another token: %v", what, err)
		}
		if err := tokenConsole().OwnFields(request("own"), nil); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: without a session: %v", what, err)
		}
	}
}

// TestOwnFieldsReadInTwoWays are refused whatever they hold.
func TestOwnFieldsReadInTwoWays(t *testing.T) {
	for what, q := range map[string]*match.Request{
		"an array":         sent(t, "GET", "/x?access_token[]=own", "", ""),
		"an indexed array": sent(t, "GET", "/x?access_token[0]=own", "", ""),
		"a bad escape":     sent(t, "POST", "/x", form, "a=%zz&access_token=own"),
		"a form's array":   sent(t, "POST", "/x", form, "access_token[]=own"),
		"in brackets":      sent(t, "GET", "/x?[access_token]=own", "", ""),
		"escaped brackets": sent(t, "GET", "/x?%5Baccess_token%5D=own", "", ""),
		"more brackets":    sent(t, "GET", "/x?[]]access_token]=own", "", ""),
		"after brackets":   sent(t, "POST", "/x", form, "[access_token]x=own"),
		"a wrapped array":  sent(t, "POST", "/x", form, "a=b&[access_token][]=own"),
		"a JSON array":     sent(t, "POST", "/x", jsonType, `{"access_token":["own"]}`),
		"a JSON number":    sent(t, "POST", "/x", jsonType, `{"access_token":1}`),
		"a mark":           sent(t, "POST", "/x", jsonType, "\ufeff"+`{"access_token":"own"}`),
		"no JSON":          sent(t, "POST", "/x", jsonType, `{access_token:"own"}`),
		"a charset":        sent(t, "POST", "/x", jsonType+"; charset=utf-16", `{}`),
		"compressed":       sent(t, "POST", "/x", jsonType, `{}`, "Content-Encoding", "gzip"),
		"two types":        sent(t, "POST", "/x", jsonType, `{}`, "Content-Type", form),
	} {
		if err := tokenConsole().OwnFields(q, ownToken); err == nil {
			t.Errorf("%s passes", what)
		}
	}
}

// TestOwnFieldsLeaveAlone what holds no token: to the byte, whatever its keys.
func TestOwnFieldsLeaveAlone(t *testing.T) {
	for what, body := range map[string]string{
		"deeper":          `{"flows":[{"access_token":"x","Name":1,"name":2,"name":3}]}`,
		"an array":        `[{"access_token":"x"}]`,
		"nothing":         ``,
		"text with token": `{"text":"access_token=x"}`,
	} {
		q := sent(t, "POST", "/x?b=access_token", jsonType, body)
		if err := tokenConsole().OwnFields(q, ownToken); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got, err := io.ReadAll(q.Body); string(got) != body || err != nil {
			t.Errorf("%s: the console gets %q (%v)", what, got, err)
		}
	}
	large := `{"a":"` + strings.Repeat("x", maxLogin) + `"}`
	if err := tokenConsole().OwnFields(sent(t, "POST", "/x", jsonType, large), ownToken); err != nil {
		t.Errorf("a large body of a verified person: %v", err)
	}
	if err := tokenConsole().OwnFields(sent(t, "POST", "/x", jsonType, large), nil); !errors.Is(err, ErrLogin) {
		t.Errorf("a large body of a stranger: %v", err)
	}
}

func TestOwnMessage(t *testing.T) {
	for message, own := range map[string]bool{
		`{"auth":"own"}`: true, `{"subscribe":"x"}`: true, `[1]`: true, `"auth"`: true, `{"data":{"auth":"x"}}`: true,
		`{"auth":"x"}`: false, `{"auth":["own"]}`: false, `{"AUTH":"x"}`: false, `{"auth":"own","auth":"x"}`: false,
		`{"\u0061uth":"x"}`: false, `{"auth":null}`: false, `{"auth":1e999}`: false, ``: false, `{"auth":"own"} {}`: false,
	} {
		if err := tokenConsole().OwnMessage([]byte(message), ownToken); (err == nil) != own {
			t.Errorf("%s: %v", message, err)
		}
	}
	deep := fmt.Sprintf(`{"a":%s%s,"auth":"x"}`, strings.Repeat("[", 20_000), strings.Repeat("]", 20_000))
	if tokenConsole().OwnMessage([]byte(deep), ownToken) == nil {
		t.Error("a token behind deep brackets passes")
	}
}
