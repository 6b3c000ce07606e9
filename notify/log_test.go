package notify

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever a provider repeats, the log has neither code nor text nor address.
func TestLogHoldsNoSecret(t *testing.T) {
	mail := Message{Channel: Mail, To: "Alice.Example@Example.com", Subject: "Your code 771204", Text: "It is 771204.", Code: "771204", Purpose: "login"}
	for _, k := range []Kind{Unclear, Temporary, Deferred, Refused, Broken} {
		for _, m := range []Message{hello, mail} {
			said := fault(k, "550 <%s> %s %s (%s) %s %s %s", strings.ToLower(m.To), m.To, strings.TrimPrefix(m.To, "+"), m.Text, m.Subject, m.Code, strings.Repeat("é", 500))
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &script{do: always(said)}
				c := New(Options{Mail: s, SMS: s, Log: slog.New(slog.NewTextHandler(&log, nil))})
				mustSend(t, c, m)
				time.Sleep(time.Minute)
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				got := strings.ToLower(log.String())
				for _, secret := range []string{m.Code, m.Text, m.To, strings.TrimPrefix(m.To, "+"), "alice"} {
					if strings.Contains(got, strings.ToLower(secret)) {
						t.Errorf("%v: %q is in the log:\n%s", k, secret, got)
					}
				}
				if !strings.Contains(got, "purpose=login") || !strings.Contains(got, masked(strings.ToLower(m.To))) || len(got) > 2000 {
					t.Errorf("the log is of no use:\n%s", got)
				}
			})
		}
	}
}

func TestMasked(t *testing.T) {
	for to, want := range map[string]string{"+491701234567": "***67", "alice@example.com": "a***@example.com", "äx@example.com": "ä***@example.com",
		"a@b": "a***@b", "12345": "***", "": "***", "@b": "***"} {
		if got := masked(to); got != want {
			t.Errorf("%s: %s", to, got)
		}
	}
}
