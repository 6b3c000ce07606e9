package firstfactor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// Start is a console's redirect to an issuer, as it was seen in a browser.
// That browser keeps it, sealed: nobody else has it, it holds for one callback
// and for ten minutes.
type Start struct {
	ID     string    `json:"id"` // which is spent
	Issuer string    `json:"issuer"`
	State  string    `json:"state"` // its digest: consoles put whole addresses into it
	At     time.Time `json:"at"`
}

// startLife is how long people may take at the issuer.
const startLife = 10 * time.Minute

// startCookie begins the names of the cookies that keep starts: one each, so
// that two tabs do not overwrite each other's. No site's name has a dot.
const startCookie = "__Host-stepgate-start."

const startPurpose = "federated-start"

func newStart(issuer, state string, now time.Time) Start {
	return Start{ID: rand.Text(), Issuer: issuer, State: digestOf(state), At: now}
}

func digestOf(state string) string {
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Until is when the start no longer counts.
func (s Start) Until() time.Time { return s.At.Add(startLife) }

// Spent is the start's name among the ids that are spent.
func (s Start) Spent() string { return "federated/" + s.ID }

func (s Start) cookie(value string, maxAge int) *http.Cookie {
	hash := sha256.Sum256([]byte(s.ID))
	return &http.Cookie{Name: startCookie + hex.EncodeToString(hash[:8]), Value: value, MaxAge: maxAge, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Keep is the cookie that keeps the start in its browser, for one site.
func (s Start) Keep(ring *seal.Ring, site string) (*http.Cookie, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	box := ring.Seal(startPurpose, plain, site)
	return s.cookie(base64.RawURLEncoding.EncodeToString(box), int(startLife.Seconds())), nil
}

// Forget removes the start from its browser.
func (s Start) Forget() *http.Cookie { return s.cookie("", -1) }

// Starts opens those that a browser keeps for a site, the oldest first. What
// does not open is nobody's.
func Starts(ring *seal.Ring, site string, cookies []string) (all []Start) {
	for _, line := range cookies {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if !strings.HasPrefix(name, startCookie) {
				continue
			}
			if s, ok := openStart(ring, site, value); ok {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b Start) int { return a.At.Compare(b.At) })
	return all
}

func openStart(ring *seal.Ring, site, value string) (s Start, ok bool) {
	box, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return s, false
	}
	plain, err := ring.Open(startPurpose, box, site)
	return s, err == nil && json.Unmarshal(plain, &s) == nil
}
