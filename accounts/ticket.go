package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// LinkLife is how long a one-time link can be used.
const LinkLife = 24 * time.Hour

// Ticket is what a one-time link proves: 256 random bits in base64url. Stores
// know its digest alone. It is no part of a request's path or query, which
// servers and proxies log.
type Ticket string

// NewTicket makes a ticket.
func NewTicket() Ticket {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return Ticket(base64.RawURLEncoding.EncodeToString(raw))
}

// ReadTicket takes a ticket as people paste it: with blanks around, or the
// whole link.
func ReadTicket(pasted string) Ticket {
	pasted = strings.TrimSpace(pasted)
	return Ticket(pasted[strings.LastIndexByte(pasted, '#')+1:])
}

// Digest is how stores know a ticket. A bare hash is enough: nobody guesses
// 256 random bits.
func (t Ticket) Digest() []byte {
	sum := sha256.Sum256([]byte("stepgate ticket " + t))
	return sum[:]
}
