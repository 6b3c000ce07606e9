// Package totp is the authenticator app as a factor: time-based one-time
// codes (RFC 6238) of 6 digits and 30 seconds with HMAC-SHA-1, the only
// parameters that all authenticator apps honor.
//
// It computes and compares; that a step is spent once is the caller's
// business, since only the store can see to it.
package totp

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// The parameters (RFC 6238, section 5.2 recommends 30 s and one step of
// tolerance).
const (
	Period = 30 * time.Second
	Digits = 6
	Skew   = 1
)

// hintSteps is how far back a code is recognized as one that was right: ten
// minutes, the clouds' advice on clocks that run slow.
const hintSteps = 20

// Step is the number of the time step that t lies in.
func Step(t time.Time) int64 { return t.Unix() / int64(Period/time.Second) }

// Key is a fresh secret with the address that an app reads from the QR code.
type Key struct {
	Secret string // base32, 160 bits (RFC 4226, section 4, R6)
	URL    string // otpauth://totp/ISSUER:ACCOUNT?…
}

// NewKey makes a key.
func NewKey(issuer, account string) (Key, error) {
	k, err := totp.Generate(options(issuer, account))
	if err != nil {
		return Key{}, fmt.Errorf("totp: %w", err)
	}
	return Key{Secret: k.Secret(), URL: k.URL()}, nil
}

// KeyOf is the key of an existing secret.
func KeyOf(secret []byte, issuer, account string) (Key, error) {
	o := options(issuer, account)
	o.Secret = secret
	k, err := totp.Generate(o)
	if err != nil {
		return Key{}, fmt.Errorf("totp: %w", err)
	}
	return Key{Secret: k.Secret(), URL: k.URL()}, nil
}

func options(issuer, account string) totp.GenerateOpts {
	return totp.GenerateOpts{Issuer: issuer, AccountName: account,
		Period: uint(Period / time.Second), Digits: Digits, Algorithm: otp.AlgorithmSHA1}
}

// Result is what a code turned out to be.
type Result uint8

// The results.
const (
	Wrong Result = iota
	Right        // of a step in the window that is not spent
	Spent        // of a step in the window that is
	Stale        // of a step that has passed: a slow clock, or typed too late
)

// Check compares a code with every step from ten minutes ago to one ahead.
// It takes the same time whatever the result. step is the code's, unless it
// is Wrong.
func Check(secret, code string, now time.Time, lastSpent int64) (r Result, step int64) {
	current := Step(now)
	for s := current - hintSteps; s <= current+Skew; s++ {
		hit := equal(secret, s, code)
		switch {
		case !hit:
		case s < current-Skew:
			r, step = Stale, s
		case s <= lastSpent:
			r, step = Spent, s
		default:
			r, step = Right, s
		}
	}
	return r, step
}

// CheckPair tells whether first and second are the codes of two consecutive
// steps of which the second is in the window. step is the second one's.
func CheckPair(secret, first, second string, now time.Time) (step int64, ok bool) {
	current := Step(now)
	for s := current - Skew; s <= current+Skew; s++ {
		one, two := equal(secret, s-1, first), equal(secret, s, second)
		if one && two {
			step, ok = s, true
		}
	}
	return step, ok
}

func equal(secret string, step int64, code string) bool {
	want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: Digits, Algorithm: otp.AlgorithmSHA1})
	return err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1
}
