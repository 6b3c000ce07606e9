package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// usual are the factors of an operator who names none: those that need no
// provider.
var usual = []string{string(identity.TOTP), string(identity.Passkey), string(identity.Recovery)}

// factors are those that there are.
func (a *App) factors() []string {
	if len(a.Factors) == 0 {
		return usual
	}
	return a.Factors
}

// checkFactors finds what people could bind and never use.
func (a *App) checkFactors() error {
	if err := checkKinds("factors", a.Factors); err != nil {
		return err
	}
	switch there := a.factors(); {
	case slices.Equal(there, []string{string(identity.Recovery)}):
		return errors.New("factors: recovery codes stand in for another factor; name one beside them, as `factors totp recovery`")
	case slices.Contains(there, string(identity.SMS)) && a.SMS == nil:
		return errors.New("factors: codes by sms need a provider: add `sms https://sms.example.com/send {…}`, or leave sms out")
	case slices.Contains(there, string(identity.Email)) && a.Mail == nil:
		return errors.New("factors: codes by email need a server: add `mail smtp.example.com:587 {…}`, or leave email out")
	}
	return nil
}

// checkKinds wants factors that are known, each once.
func checkKinds(word string, names []string) error {
	for i, name := range names {
		if !slices.Contains(identity.Factors(), identity.Factor(name)) {
			return fmt.Errorf("%s: there is no factor %q; there are totp, passkey, sms, email and recovery", word, name)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%s: %s stands twice; keep one", word, name)
		}
	}
	return nil
}

// checkDemands finds what a policy asks for and nobody could give.
func (a *App) checkDemands(d Demands) error {
	for _, name := range d.Factors {
		if !slices.Contains(a.factors(), name) {
			return fmt.Errorf("login_protection: %s counts here, and there is no such factor: write `factors %s %s` in the global option stepgate, "+
				"or leave %s out here", name, strings.Join(a.factors(), " "), name, name)
		}
	}
	if d.Enroll == string(policy.EnrollContact) && a.SMS == nil && a.Mail == nil {
		return errors.New("enroll: a code to a contact on file needs a way out: add `mail` or `sms` to the global option stepgate, or use `enroll ticket`")
	}
	return nil
}

// rules are the demands as policy knows them, of the factors that there are.
func (a *App) rules(d Demands) policy.Rules {
	trust, _ := d.trust() // checked
	r := policy.Rules{
		LoginProtection: policy.Protection(d.LoginProtection),
		Enroll:          policy.Enrolling(d.Enroll),
		TrustBrowser:    trust,
		Manage:          d.ManageFactors == on,
		TouchSuffices:   d.Passkeys == present,
	}
	for _, name := range a.counting(d) {
		r.Factors = append(r.Factors, identity.Factor(name))
	}
	return r
}

// counting are the demanded factors, with recovery codes where there are any.
// Mail counts only where it is named.
func (a *App) counting(d Demands) []string {
	if len(d.Factors) == 0 {
		return slices.DeleteFunc(slices.Clone(a.factors()), func(name string) bool { return name == string(identity.Email) })
	}
	if slices.Contains(a.factors(), string(identity.Recovery)) {
		return append(slices.Clone(d.Factors), string(identity.Recovery))
	}
	return d.Factors
}
