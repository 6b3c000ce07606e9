package firstfactor

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/identity"
)

func newHeaderSource(t *testing.T, proxies ...string) *Header {
	t.Helper()
	h := &Header{Name: "remote-user", Groups: "Remote-Groups", TrustedProxies: append(proxies, "10.1.2.0/24")}
	if err := h.Prepare("staff"); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHeaderNamesAPerson(t *testing.T) {
	h := newHeaderSource(t)
	keys := make(map[string]string)
	for _, name := range []string{"alice", "Alice", "a b", "\xff\xfe", "用户", "alice@example.com", "a,b", "DOMAIN\\alice"} {
		for _, groups := range []string{"", "admins, it ,", "it"} {
			r := carrying("Remote-User: " + name)
			if groups != "" {
				r.Header.Set("Remote-Groups", groups)
			}
			a, err := h.Assert(t.Context(), r)
			if err != nil || a.Subject() != (identity.Subject{Realm: "staff", Name: name}) || a.Source() != "header" || !a.ExpiresAt().IsZero() {
				t.Errorf("%q: %+v, %v", name, a, err)
			}
			if want := map[string][]string{"": nil, "admins, it ,": {"admins", "it"}, "it": {"it"}}[groups]; !slices.Equal(a.Groups(), want) {
				t.Errorf("%q: %q", groups, a.Groups())
			}
			if _, said := a.Evidence(); said {
				t.Error("a header is no issuer's evidence")
			}
			if other, twice := keys[a.Key]; twice {
				t.Errorf("%q has the key of %s", name, other)
			}
			keys[a.Key] = name + groups
		}
	}
}

// TestHeaderForged: what a client could have smuggled past the proxy names
// nobody.
func TestHeaderForged(t *testing.T) {
	h := newHeaderSource(t)
	for _, headers := range [][]string{
		{"Remote-User: alice", "Remote-User: bob"},
		{"Remote-User: alice", "Remote_user: bob"},
		{"Remote-User: alice", "Remote_User: bob"},
		{"Remote-User: alice", "REMOTE-USER: bob"},
		{"Remote-User: alice", "remote.user: bob"},
		{"Remote_User: bob"},
		{"REMOTE_USER: bob"},
		{"Remote-User: "},
		{"Remote-User: (null)"},
		{"Remote-User: al\x00ice"},
		{"Remote-User: alice\tbob"},
		{"Remote-User: " + strings.Repeat("a", 256)},
		{"Remote-User: alice", "Connection: close, Remote-User"},
		{"Remote-User: alice", "Connection: remote_user"},
		{"Connection: Remote-User"},
		{"Remote-User: alice", "Remote-Groups: it", "Remote_Groups: admins"},
		{"Remote-User: alice", "Remote-Groups: it", "Remote-Groups: admins"},
		{"Remote-User: alice", "REMOTE-GROUPS: admins"},
		{"Remote-User: alice", "Connection: remote-groups"},
	} {
		if a, err := h.Assert(t.Context(), carrying(headers...)); !errors.Is(err, ErrAssertion) || !a.IsZero() {
			t.Errorf("%q: %v, %v", headers, a.Subject(), err)
		}
	}
	for _, name := range []string{"Remote-User", "remote_user", "Remote-Groups"} {
		r := carrying("Remote-User: alice")
		r.Trailer = http.Header{name: nil}
		if a, err := h.Assert(t.Context(), r); !errors.Is(err, ErrAssertion) {
			t.Errorf("trailer %s: %v, %v", name, a.Subject(), err)
		}
	}
	for _, headers := range [][]string{{}, {"Remote-Groups: admins"}, {"Remote-Amr: mfa"}, {"X-Remote-User: bob"}, {"Cookie: Remote-User=bob"}} {
		if a, err := h.Assert(t.Context(), carrying(headers...)); !errors.Is(err, ErrNoAssertion) {
			t.Errorf("%q: %v, %v", headers, a.Subject(), err)
		}
	}
}

// TestHeaderCountsFromTrustedPeersOnly, however their address is written.
func TestHeaderCountsFromTrustedPeersOnly(t *testing.T) {
	h := newHeaderSource(t, "192.0.2.7", "2001:db8::/64", "::ffff:192.0.2.9")
	for peer, trusted := range map[string]bool{
		"10.1.2.0:1": true, "10.1.2.255:1": true, "10.1.3.0:1": false, "10.1.2.3": false, "": false, "@": false, "unix": false,
		"192.0.2.7:80": true, "192.0.2.8:80": false, "[::ffff:192.0.2.7]:80": true, "192.0.2.9:1": true,
		"[2001:db8::1]:1": true, "[2001:db8::1%eth0]:1": true, "[2001:db8:0:1::1]:1": false, "[::1]:1": false,
		"10.1.2.3, 8.8.8.8:1": false,
	} {
		r := carrying("Remote-User: alice", "X-Forwarded-For: 10.1.2.3", "Forwarded: for=10.1.2.3", "X-Real-Ip: 10.1.2.3")
		r.RemoteAddr = peer
		a, err := h.Assert(t.Context(), r)
		if trusted != (err == nil) || !trusted && (!errors.Is(err, ErrAssertion) || !a.IsZero()) {
			t.Errorf("%s: %v, %v", peer, a.Subject(), err)
		}
	}
}

func TestHeaderConfiguration(t *testing.T) {
	for want, h := range map[string]Header{
		"trusted_proxies: name":              {Name: "Remote-User"},
		"header \"\"":                        {TrustedProxies: []string{"10.1.2.3"}},
		"header \"Remote User\"":             {Name: "Remote User", TrustedProxies: []string{"10.1.2.3"}},
		"header \"authorization\"":           {Name: "authorization", TrustedProxies: []string{"10.1.2.3"}},
		"groups \"a b\"":                     {Name: "Remote-User", Groups: "a b", TrustedProxies: []string{"10.1.2.3"}},
		"groups \"remote-user\"":             {Name: "Remote-User", Groups: "remote-user", TrustedProxies: []string{"10.1.2.3"}},
		"trusted_proxies \"0.0.0.0/0\"":      {Name: "Remote-User", TrustedProxies: []string{"10.1.2.3", "0.0.0.0/0"}},
		"trusted_proxies \"::/0\"":           {Name: "Remote-User", TrustedProxies: []string{"::/0"}},
		"trusted_proxies \"proxy.internal\"": {Name: "Remote-User", TrustedProxies: []string{"proxy.internal"}},
		"trusted_proxies \"private_ranges\"": {Name: "Remote-User", TrustedProxies: []string{"private_ranges"}},
	} {
		if err := h.Prepare("staff"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestCaddyUserNamesAPerson(t *testing.T) {
	users := map[string]string{"id": "alice", "roles": "it admins,ops"}
	c := &CaddyUser{Groups: "roles", Value: func(_ *http.Request, name string) string { return users[name] }}
	if err := c.Prepare("staff"); err != nil {
		t.Fatal(err)
	}
	a, err := c.Assert(t.Context(), carrying("Remote-User: bob"))
	if err != nil || a.Subject() != (identity.Subject{Realm: "staff", Name: "alice"}) || a.Source() != "caddy" || !slices.Equal(a.Groups(), []string{"it", "admins", "ops"}) {
		t.Errorf("%+v, %v", a, err)
	}
	users["roles"] = ""
	if b, err := c.Assert(t.Context(), carrying()); err != nil || b.Key == a.Key || len(b.Groups()) > 0 {
		t.Errorf("%+v, %v", b, err)
	}
	users["id"] = "al\nice"
	if _, err := c.Assert(t.Context(), carrying()); !errors.Is(err, ErrAssertion) {
		t.Error(err)
	}
	users["id"] = ""
	if _, err := c.Assert(t.Context(), carrying("Remote-User: bob", "Authorization: Basic Ym9iOng=")); !errors.Is(err, ErrNoAssertion) {
		t.Error(err)
	}
	for _, bad := range []string{"id", "{http.auth.user.roles}", "a b"} {
		if err := (&CaddyUser{Groups: bad}).Prepare("staff"); err == nil {
			t.Errorf("groups %s was taken", bad)
		}
	}
}
