package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// The defaults of sessions, and the bounds that make sense.
const (
	defaultIdle     = time.Hour
	defaultLifetime = 24 * time.Hour
	shortest        = time.Minute
	longest         = 30 * 24 * time.Hour
)

// Policy is what the operator decides about people and their sessions.
type Policy struct {
	Demands
	// SessionIdle ends a session that was not used for so long. Default 1h.
	SessionIdle caddy.Duration `json:"session_idle,omitempty"`
	// SessionLifetime ends a session so long after the second factor was
	// passed, used or not. Default 24h.
	SessionLifetime caddy.Duration `json:"session_lifetime,omitempty"`
}

// Demands are what a policy asks of people. What is empty is inherited.
type Demands struct {
	// LoginProtection says whom login protection asks. So far and by default:
	// required, which is everybody.
	LoginProtection string `json:"login_protection,omitempty"`
	// Factors that count, the preferred first. Default: all that there are, but
	// for email, which counts only where it is named.
	Factors []string `json:"factors,omitempty"`
	// Enroll says how people come to their first factor: at_login, contact or
	// ticket. Default: at_login.
	Enroll string `json:"enroll,omitempty"`
	// Passkeys says what passkeys prove: verified, that the authenticator knows
	// the person by PIN or biometry, or present, that somebody touched it.
	// Default: verified.
	Passkeys string `json:"passkeys,omitempty"`
	// TrustBrowser is how long people may spare themselves the second factor in
	// a browser, as 30d, or off. Default: off.
	TrustBrowser string `json:"trust_browser,omitempty"`
	// ManageFactors says whether people may change their factors themselves: on
	// or off. Default: on.
	ManageFactors string `json:"manage_factors,omitempty"`
}

func (p Policy) check() error {
	for name, d := range map[string]caddy.Duration{"session_idle": p.SessionIdle, "session_lifetime": p.SessionLifetime} {
		if d != 0 && (time.Duration(d) < shortest || time.Duration(d) > longest) {
			return fmt.Errorf("%s: %s is not between 1m and 30d", name, time.Duration(d))
		}
	}
	return p.Demands.check()
}

func (d Demands) check() error {
	_, err := d.trust()
	switch {
	case d.LoginProtection != "" && d.LoginProtection != string(policy.Required):
		return fmt.Errorf("login_protection: %q is not a policy of this version; it has required", d.LoginProtection)
	case slices.Contains(d.Factors, string(identity.Recovery)):
		return errors.New("login_protection: recovery codes stand in for any other factor and are not named here; " +
			"where there should be none, leave recovery out of the global option's `factors`")
	case !among(d.Enroll, policy.EnrollAtLogin, policy.EnrollContact, policy.EnrollTicket):
		return fmt.Errorf("enroll: %q is no way to a first factor; it is at_login, contact or ticket", d.Enroll)
	case !among(d.Passkeys, verified, present):
		return fmt.Errorf("passkeys: %q is not what a passkey can prove; it is verified (by PIN or biometry) or present (by a touch)", d.Passkeys)
	case !among(d.ManageFactors, on, off):
		return fmt.Errorf("manage_factors: %q is neither on nor off", d.ManageFactors)
	}
	return errors.Join(err, checkKinds("login_protection", d.Factors))
}

// What a switch says.
const on, off = "on", "off"

// What a passkey proves.
const verified, present = "verified", "present"

// among tells whether a word is one of these, or left out.
func among[T ~string](word string, of ...T) bool { return word == "" || slices.Contains(of, T(word)) }

// trust is how long a browser can be trusted.
func (d Demands) trust() (time.Duration, error) {
	if d.TrustBrowser == "" || d.TrustBrowser == off {
		return 0, nil
	}
	long, err := caddy.ParseDuration(d.TrustBrowser)
	if err != nil || long < time.Hour || long > 90*24*time.Hour {
		return 0, fmt.Errorf("trust_browser: %q is neither off nor a time from 1h to 90d, as 30d", d.TrustBrowser)
	}
	return long, nil
}

// under is the policy with what it leaves out taken from a wider one.
func (p Policy) under(wider Policy) Policy {
	return Policy{
		Demands:         p.Demands.under(wider.Demands),
		SessionIdle:     cmp.Or(p.SessionIdle, wider.SessionIdle),
		SessionLifetime: cmp.Or(p.SessionLifetime, wider.SessionLifetime),
	}
}

func (d Demands) under(wider Demands) Demands {
	if len(d.Factors) == 0 {
		d.Factors = wider.Factors
	}
	d.LoginProtection = cmp.Or(d.LoginProtection, wider.LoginProtection)
	d.Enroll = cmp.Or(d.Enroll, wider.Enroll)
	d.Passkeys = cmp.Or(d.Passkeys, wider.Passkeys)
	d.TrustBrowser = cmp.Or(d.TrustBrowser, wider.TrustBrowser)
	d.ManageFactors = cmp.Or(d.ManageFactors, wider.ManageFactors)
	return d
}

// defaults is the widest policy of all. Which factors count is told by those
// that there are.
var defaults = Policy{
	Demands: Demands{
		LoginProtection: string(policy.Required),
		Enroll:          string(policy.EnrollAtLogin),
		Passkeys:        verified,
		TrustBrowser:    off,
		ManageFactors:   on,
	},
	SessionIdle:     caddy.Duration(defaultIdle),
	SessionLifetime: caddy.Duration(defaultLifetime),
}
