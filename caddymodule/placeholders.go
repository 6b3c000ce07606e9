package caddymodule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2"
)

// filled returns a copy with what {env.X} and {file.X} stand for.
func (s *SessionStore) filled(by *caddy.Replacer) (*SessionStore, error) {
	if s == nil || s.Redis == nil {
		return s, nil
	}
	r, err := s.Redis.filled(by)
	return &SessionStore{Redis: r}, err
}

func (s *AccountStore) filled(by *caddy.Replacer) (*AccountStore, error) {
	if s == nil || s.Postgres == nil {
		return s, nil
	}
	c := *s.Postgres
	err := errors.Join(fill(by, []value{{"accounts postgres", &c.DSN}}), fillSecrets(by, []value{{"password", &c.Password}}))
	return &AccountStore{Postgres: &c}, err
}

func (r *Redis) filled(by *caddy.Replacer) (*Redis, error) {
	c := *r
	c.Addresses = slices.Clone(r.Addresses)
	values := []value{{"username", &c.Username}, {"prefix", &c.Prefix}}
	secrets := []value{{"password", &c.Password}}
	for i := range c.Addresses {
		values = append(values, value{"sessions redis", &c.Addresses[i]})
	}
	if r.Sentinel != nil {
		s := *r.Sentinel
		c.Sentinel = &s
		values = append(values, value{"sentinel", &s.Name}, value{"sentinel username", &s.Username})
		secrets = append(secrets, value{"sentinel password", &s.Password})
	}
	if r.TLS != nil {
		t := *r.TLS
		c.TLS = &t
		values = append(values, value{"ca", &t.CA}, value{"cert", &t.Cert}, value{"cert", &t.Key}, value{"server_name", &t.ServerName})
	}
	return &c, errors.Join(fill(by, values), fillSecrets(by, secrets))
}

// value is one that may hold placeholders.
type value struct {
	word string
	text *string
}

// fill puts the values in. A file that cannot be
// read counts as empty in Caddy; here it is an error, or people would see a
// nameless page and keys would be looked for elsewhere.
func fill(by *caddy.Replacer, values []value) error {
	for _, v := range values {
		text, err := by.ReplaceOrErr(*v.text, true, true)
		if err != nil {
			return fmt.Errorf("%s: %w: set the variable, make the file readable, or correct its name", v.word, err)
		}
		*v.text = text
	}
	return nil
}

// onePlaceholder is a secret that is not itself in the configuration.
var onePlaceholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

// fillSecrets is fill for what must not be repeated in an error.
func fillSecrets(by *caddy.Replacer, secrets []value) error {
	for _, s := range secrets {
		err := fill(by, []value{s})
		if err != nil && !onePlaceholder.MatchString(*s.text) {
			return fmt.Errorf("%s: what stands in braces is unknown or empty: use {file.PATH} or {env.NAME} alone, "+
				"or keep a password that holds braces in a file", s.word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
