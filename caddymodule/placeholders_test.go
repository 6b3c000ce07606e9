package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// What is in braces may be a part of a password: an error repeats it only
// where it is clearly a name.
func TestSecretsStaySecret(t *testing.T) {
	for secret, says := range map[string]string{
		"{env.STEPGATE_MISSING}":        "{env.STEPGATE_MISSING}",
		"{file./nonsense}":              "{file./nonsense}",
		"hunter2{x}":                    "braces",
		"{hunter2}":                     "braces",
		"hunter2{env.STEPGATE_MISSING}": "braces",
	} {
		text := secret
		err := fillSecrets(caddy.NewReplacer(), []value{{"password", &text}})
		if err == nil {
			t.Errorf("%s was taken", secret)
			continue
		}
		mustSay(t, err.Error(), says)
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("it repeats the secret: %v", err)
		}
	}
}

// A password hides in many places of a DSN.
func TestPasswordsInDSNs(t *testing.T) {
	for dsn, holds := range map[string]bool{
		"host=db1 dbname=mfa user=stepgate":               false,
		"host=db1 passfile=/etc/pgpass":                   false,
		"host=db1 password=hunter2":                       true,
		"host=db1\tPassword = 'hunter2'":                  true,
		"password=hunter2":                                true,
		"host=db1 sslpassword=hunter2":                    true,
		"host='db1'password=hunter2":                      true,
		"postgres://db1/mfa":                              false,
		"postgres://stepgate@db1:5432,db2:5433/mfa":       false,
		"postgres://stepgate@[::1]:5432/mfa":              false,
		"postgres://stepgate@db1/mfa?options=-c%20a:b@c":  false,
		"postgres://stepgate:hunter2@db1/mfa":             true,
		"postgres://stepgate:hun@ter2@db1,db2":            true,
		"postgresql://db1/mfa?user=stepgate&password=h":   true,
		"postgresql://db1/mfa?user=stepgate&pass%77ord=h": true,
		"postgresql://db1?sslpassword=h":                  true,
	} {
		if holdsPassword(dsn) != holds {
			t.Errorf("%s: %t", dsn, !holds)
		}
		err := (&Postgres{DSN: dsn}).check()
		if (err != nil) != holds || holds && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
