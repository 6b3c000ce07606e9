package firstfactor

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// CaddyUser proves people by whatever auth handler of Caddy's ran before:
// `first_factor caddy {…}` in a Caddyfile.
type CaddyUser struct {
	// Groups names what the handler says of the person that lists the groups,
	// separated by commas or blanks: `roles` for {http.auth.user.roles}.
	// Default: none.
	Groups string `json:"groups,omitempty"`

	// Value is {http.auth.user.NAME} of a request, "" if there is none.
	Value func(r *http.Request, name string) string `json:"-"`

	realm string
}

// Prepare checks the description and readies it for the people of a realm.
func (c *CaddyUser) Prepare(realm string) error {
	if c.Groups == "id" || strings.ContainsAny(c.Groups, "{} ") {
		return errors.New("groups: name the last part of the placeholder alone, as roles for {http.auth.user.roles}")
	}
	c.realm = realm
	return nil
}

// ID implements Asserter.
func (*CaddyUser) ID() string { return "caddy" }

// Realm implements Asserter.
func (c *CaddyUser) Realm() string { return c.realm }

// Headers implements Asserter.
func (*CaddyUser) Headers() []string { return nil }

// Withhold implements Asserter.
func (*CaddyUser) Withhold(http.Header) {}

// Assert implements Asserter.
func (c *CaddyUser) Assert(_ context.Context, r *http.Request) (Assertion, error) {
	name := c.Value(r, "id")
	if name == "" {
		return Assertion{}, ErrNoAssertion
	}
	subject, err := newPerson(c.realm, name)
	if err != nil {
		return Assertion{}, unproven("{http.auth.user.id}: %v", err)
	}
	who := Identity{subject: subject, source: c.ID()}
	if c.Groups == "" {
		return Assertion{Identity: who, Key: name}, nil
	}
	groups := c.Value(r, c.Groups)
	who.groups = strings.FieldsFunc(groups, func(r rune) bool { return r == ',' || r == ' ' })
	return Assertion{Identity: who, Key: name + "\n" + groups}, nil
}
