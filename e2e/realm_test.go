//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// linkedSites are two sites of one realm, which differ in nothing but name and address.
const linkedSites = `{
	{{.Global}}
	stepgate {
		realm staff {
			link on
		}
	}
}
http://wiki.localhost:{{.Port}} {
	stepgate wiki {
		realm staff
		origin http://wiki.localhost:{{.Port}}
		first_factor console dokuwiki
	}
	reverse_proxy {{.Upstream}}
}
http://notes.localhost:{{.Port}} {
	stepgate notes {
		realm staff
		origin http://notes.localhost:{{.Port}}
		first_factor console dokuwiki
	}
	reverse_proxy {{.Upstream}}
}
http://localhost:{{.Port}} {
	respond "here"
}
`

// TestRealmLinked: one enrollment serves both sites of a realm, each with a session of its own, and who passed at one
// is not asked at the other in the same browser; in another browser they are.
func TestRealmLinked(t *testing.T) {
	wiki := StartDokuWiki(t)
	g := StartGateway(t, linkedSites, wiki)
	at := func(site string) string { return fmt.Sprintf("http://%s.localhost:%d", site, g.values.Port) }
	b := OpenBrowser(t)
	wiki.SignIn(b, at("wiki"), Alice)
	key := enroll(t, b, -2)
	b.Goto(at("notes") + wiki.Secret)
	if strings.Contains(b.Page(), wiki.Marker) {
		t.Fatal("the other site asks for no first factor")
	}
	wiki.SignIn(b, at("notes"), Alice)
	if !strings.HasPrefix(b.URL(), at("notes")) || strings.Contains(b.URL(), ".stepgate") {
		t.Fatalf("the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}
	b.Goto(at("notes") + wiki.Secret)
	if !strings.Contains(b.Page(), wiki.Marker) {
		t.Fatalf("the browser is at %s, which reads:\n%s", b.URL(), b.Page())
	}

	// Each site ends its own session.
	b.Goto(at("notes") + wiki.Secret)
	b.Follow("a[href*='do=logout']")
	b.Goto(at("wiki") + wiki.Secret)
	if !strings.Contains(b.Page(), wiki.Marker) {
		t.Error("a logout at one site ends the session at the other")
	}

	other := OpenBrowser(t)
	wiki.SignIn(other, at("notes"), Alice)
	if !other.Has("#code") || !strings.HasPrefix(other.URL(), at("notes")) {
		t.Fatalf("another browser is at %s, which reads:\n%s", other.URL(), other.Page())
	}
	enter(t, other, key, 0) // bound at the other site
	other.Goto(at("notes") + wiki.Secret)
	if !strings.Contains(other.Page(), wiki.Marker) {
		t.Errorf("another browser is at %s, which reads:\n%s", other.URL(), other.Page())
	}
}
