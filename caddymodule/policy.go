package caddymodule

import (
	"fmt"
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
	// LoginProtection says whom login protection asks. So far and by default:
	// required, which is everybody.
	LoginProtection string `json:"login_protection,omitempty"`
	// Factors that count. Default: all that people may bind.
	Factors []string `json:"factors,omitempty"`
	// SessionIdle ends a session that was not used for so long. Default 1h.
	SessionIdle caddy.Duration `json:"session_idle,omitempty"`
	// SessionLifetime ends a session so long after the second factor was
	// passed, used or not. Default 24h.
	SessionLifetime caddy.Duration `json:"session_lifetime,omitempty"`
}

func (p Policy) check() error {
	if p.LoginProtection != "" && p.LoginProtection != string(policy.Required) {
		return fmt.Errorf("login_protection: %q is not a policy of this version; it has required", p.LoginProtection)
	}
	for name, d := range map[string]caddy.Duration{"session_idle": p.SessionIdle, "session_lifetime": p.SessionLifetime} {
		if d != 0 && (time.Duration(d) < shortest || time.Duration(d) > longest) {
			return fmt.Errorf("%s: %s is not between 1m and 30d", name, time.Duration(d))
		}
	}
	return checkFactors(p.Factors)
}

// under is the policy with what it leaves out taken from a wider one.
func (p Policy) under(wider Policy) Policy {
	if p.LoginProtection == "" {
		p.LoginProtection = wider.LoginProtection
	}
	if len(p.Factors) == 0 {
		p.Factors = wider.Factors
	}
	if p.SessionIdle == 0 {
		p.SessionIdle = wider.SessionIdle
	}
	if p.SessionLifetime == 0 {
		p.SessionLifetime = wider.SessionLifetime
	}
	return p
}

// defaults is the widest policy of all.
var defaults = Policy{
	LoginProtection: string(policy.Required),
	Factors:         []string{string(identity.TOTP)},
	SessionIdle:     caddy.Duration(defaultIdle),
	SessionLifetime: caddy.Duration(defaultLifetime),
}

func (p Policy) rules() policy.Rules {
	r := policy.Rules{LoginProtection: policy.Protection(p.LoginProtection), Enroll: policy.EnrollAtLogin, Manage: true}
	for _, name := range p.Factors {
		r.Factors = append(r.Factors, identity.Factor(name))
	}
	return r
}
