//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Issuer is a real OpenID provider, npm's oidc-provider, as a process of its own. Several may run at once. What it
// knows is changed while it runs; sessions and codes are lost when it stops, its keys are not.
type Issuer struct {
	URL string // the issuer's identifier, http://127.0.0.1:PORT

	t       testing.TB
	dir     string
	config  issuerConfig
	process *process
}

// IssuerClient is an application that may send people to the issuer. See OpenID Connect Dynamic Client Registration
// 1.0, section 2, for what the names mean.
type IssuerClient struct {
	ID                      string   `json:"client_id"`
	Secret                  string   `json:"client_secret,omitempty"`
	AuthMethod              string   `json:"token_endpoint_auth_method,omitempty"` // none for a client without a secret
	RedirectURIs            []string `json:"redirect_uris"`
	PostLogoutURIs          []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI    string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelNeedsSession bool     `json:"backchannel_logout_session_required,omitempty"`
	GrantTypes              []string `json:"grant_types,omitempty"`
	ResponseTypes           []string `json:"response_types,omitempty"`
}

// IssuerPerson is somebody whom the issuer knows, with the evidence that their next sign-in shall carry.
type IssuerPerson struct {
	Login      string         `json:"login"` // what they type on the issuer's page
	Subject    string         `json:"sub"`
	Claims     map[string]any `json:"claims,omitempty"` // name, preferred_username, email, groups
	AMR        []string       `json:"amr,omitempty"`
	ACR        string         `json:"acr,omitempty"`
	SecondsAgo int            `json:"secondsAgo,omitempty"` // how long before the sign-in auth_time lies; negative: in the future
}

type issuerConfig struct {
	Issuer         string         `json:"issuer"`
	Port           int            `json:"port"`
	Generation     int            `json:"generation"`
	IDTokenSeconds int            `json:"idTokenSeconds,omitempty"`
	Clients        []IssuerClient `json:"clients"`
	People         []IssuerPerson `json:"people"`
}

// StartIssuer runs an issuer that knows these people until the test ends. Its clients are told later, when their
// addresses are known.
func StartIssuer(t testing.TB, people ...IssuerPerson) *Issuer {
	t.Helper()
	port := FreePort(t)
	i := &Issuer{URL: fmt.Sprintf("http://127.0.0.1:%d", port), t: t, dir: t.TempDir()}
	i.config = issuerConfig{Issuer: i.URL, Port: port, Clients: []IssuerClient{}, People: append([]IssuerPerson{}, people...)}
	i.Start()
	return i
}

// Start runs the issuer on the port it always had.
func (i *Issuer) Start() {
	i.t.Helper()
	library, err := script("issuer.sh")
	if err != nil {
		i.t.Fatal(err)
	}
	i.write()
	i.process = start(i.t, "issuer", exec.Command(filepath.Join(library, "node"),
		filepath.Join(checkout(), "e2e", "issuer.mjs"), library, i.dir))
	i.process.wait(i.t, 30*time.Second, func() bool { return answers(i.URL + "/.well-known/openid-configuration") })
}

// Stop ends the issuer as a crash would.
func (i *Issuer) Stop() { i.process.kill() }

// Client makes an application known, or changes it.
func (i *Issuer) Client(c IssuerClient) {
	i.t.Helper()
	i.config.Clients = put(i.config.Clients, c, func(known IssuerClient) bool { return known.ID == c.ID })
	i.reload()
}

// Person makes somebody known, or changes what their next sign-in says.
func (i *Issuer) Person(p IssuerPerson) {
	i.t.Helper()
	i.config.People = put(i.config.People, p, func(known IssuerPerson) bool { return known.Login == p.Login })
	i.reload()
}

// put replaces the one that is the same, or adds it.
func put[T any](list []T, v T, same func(T) bool) []T {
	if n := slices.IndexFunc(list, same); n >= 0 {
		list[n] = v
		return list
	}
	return append(list, v)
}

// Rotate gives the issuer a new key; the old one is no longer published.
func (i *Issuer) Rotate() {
	i.t.Helper()
	i.config.Generation++
	i.reload()
}

// IDTokenLifetime is how long the ID tokens hold that the issuer signs from now on.
func (i *Issuer) IDTokenLifetime(d time.Duration) {
	i.t.Helper()
	i.config.IDTokenSeconds = int(d.Seconds())
	i.reload()
}

// LogOut ends all sessions of a subject at the issuer, which then tells the clients through their back channel. It
// returns how many of those agreed.
func (i *Issuer) LogOut(subject string) string {
	i.t.Helper()
	return i.tell("/test/logout", url.Values{"sub": {subject}})
}

// SignIn fills in the issuer's own page, which the browser shows, and returns the status of the page that follows.
func (i *Issuer) SignIn(b *Browser, login string) int {
	i.t.Helper()
	i.shown(b)
	b.Fill("input[name=login]", login)
	return b.Follow("#login")
}

// Cancel leaves the issuer's page without signing in.
func (i *Issuer) Cancel(b *Browser) int {
	i.t.Helper()
	i.shown(b)
	return b.Follow("#cancel")
}

func (i *Issuer) shown(b *Browser) {
	i.t.Helper()
	if !strings.HasPrefix(b.URL(), i.URL+"/") {
		i.t.Fatalf("the browser is at %s and not at the issuer %s", b.URL(), i.URL)
	}
}

// Log is what the issuer printed since it started: each request, and what went wrong.
func (i *Issuer) Log() string { return i.process.out.String() }

func (i *Issuer) write() {
	i.t.Helper()
	text, err := json.Marshal(i.config)
	if err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.dir, "config.json"), text, 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// reload lets the issuer know what changed; one that is stopped reads it when it starts.
func (i *Issuer) reload() {
	i.t.Helper()
	i.write()
	select {
	case <-i.process.done:
	default:
		i.tell("/test/reload", nil)
	}
}

func (i *Issuer) tell(path string, form url.Values) string {
	i.t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	res, err := client.PostForm(i.URL+path, form)
	if err != nil {
		i.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		i.t.Fatalf("the issuer says to %s: %s %s %v\n%s", path, res.Status, body, err, i.process.out.tail(4000))
	}
	return string(body)
}
