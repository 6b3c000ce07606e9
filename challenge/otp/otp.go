// Package otp is a code sent by SMS or mail as a factor: how it is made, what
// is kept of it while it waits, and how often one may be sent.
//
// It sends nothing and stores nothing. That a code is checked at most five
// times, and passes once, is the caller's business, since only the stores can
// see to it.
package otp

import (
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
)

// What a code is, and how long it counts. NIST SP 800-63B-4, section 3.1.3.1,
// asks for six digits and at most ten minutes.
const (
	Digits = 6
	Life   = 10 * time.Minute
	// Wait is the shortest time between two sends to one number or address.
	Wait = time.Minute
)

// New makes a code: uniform, leading zeros kept.
func New() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand never fails since Go 1.24
	}
	return fmt.Sprintf("%0*d", Digits, n)
}

// Sent is a code that waits to be typed. It lies in the challenge store as
// JSON and holds no code in the clear.
type Sent struct {
	ID        string          `json:"id"`
	Contact   string          `json:"contact"` // the contact's id
	Factor    identity.Factor `json:"factor"`  // which way it went
	Digest    []byte          `json:"digest"`
	SentAt    time.Time       `json:"sent_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// Seal keeps what is needed to recognize a code that goes to a contact now.
// bound is all that the code is for (the ids of challenge and session, the
// subject, site and purpose): for anything else it is wrong.
func Seal(key []byte, code, contact string, factor identity.Factor, now time.Time, bound ...string) Sent {
	s := Sent{ID: rand.Text(), Contact: contact, Factor: factor, SentAt: now, ExpiresAt: now.Add(Life)}
	s.Digest = s.digest(key, code, bound)
	return s
}

// Right tells whether code is the one that was sent, for what it was sent for,
// and still counts. It takes the same time for every wrong code of six digits.
func (s Sent) Right(key []byte, code string, now time.Time, bound ...string) bool {
	same := hmac.Equal(s.Digest, s.digest(key, code, bound))
	return same && now.Before(s.ExpiresAt)
}

// Again is when another code may be sent.
func (s Sent) Again() time.Time { return s.SentAt.Add(Wait) }

// digest covers the record's own fields too: what lies in the store can be
// neither moved to another contact nor made to last.
func (s Sent) digest(key []byte, code string, bound []string) []byte {
	own := []string{"otp", code, s.ID, s.Contact, string(s.Factor), strconv.FormatInt(s.ExpiresAt.UnixNano(), 10)}
	return seal.Digest(key, append(own, bound...)...)
}

// Bound is the last line of an SMS that binds its code to a host: browsers
// offer to fill it in there and nowhere else (WICG, Origin-bound one-time
// codes delivered via SMS). "" if host is not a plain name. The host has to be
// one that the operator named: what a client merely claims in a request could
// be a phisher's.
func Bound(host, code string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return ""
	}
	return "@" + host + " #" + code
}
