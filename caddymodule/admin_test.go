package caddymodule

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stepgate/stepgate/admin"
)

func mustAnswer(t *testing.T, socket string) os.FileInfo {
	t.Helper()
	if err := admin.NewClient(socket).Look(t.Context(), "/v1/users", url.Values{"realm": {"demo"}}, new(admin.Page)); err != nil {
		t.Fatal(err)
	}
	file, err := os.Lstat(socket)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// The socket outlives reloads, also refused ones, and goes with the gateway.
func TestPasswordSocketOutlivesReloads(t *testing.T) {
	g := newGate(t)
	first := mustAnswer(t, g.data("admin.sock"))
	g.mustLoad("brand Other")
	if !os.SameFile(first, mustAnswer(t, g.data("admin.sock"))) {
		t.Error("a reload made another one")
	}
	g.refused("keys " + filepath.Join(g.home, "none"))
	mustAnswer(t, g.data("admin.sock"))
	other := filepath.Join(g.home, "other.sock")
	g.mustLoad("admin_socket " + other)
	mustAnswer(t, other)
	if _, err := os.Lstat(g.data("admin.sock")); err == nil {
		t.Error("the socket of the configuration before is left behind")
	}
	g.stop()
	if _, err := os.Lstat(other); err == nil {
		t.Error("the socket is left behind")
	}
}

// A gateway without a place for the default socket works; one whose socket
// was asked for does not start without it.
func TestPasswordSocketWithoutAPlace(t *testing.T) {
	g := newGate(t)
	g.stop()
	place := g.data("admin.sock")
	writeFile(t, place, "something else")
	g.mustLoad("brand Test")
	g.stop()
	mustSay(t, g.refused("admin_socket "+place), "is there and is no socket")
	if text := readFile(t, place); text != "something else" {
		t.Errorf("the file became %q", text)
	}
}

// People can only be invited to a realm that has the page.
func TestPasswordUsersNeedThePage(t *testing.T) {
	g := newGate(t)
	err := admin.NewClient(g.data("admin.sock")).Change(t.Context(), "/v1/users", admin.Whom{Realm: "demo", Name: "alice"}, new(admin.Invitation))
	if err == nil {
		t.Fatal("she was made")
	}
	mustSay(t, err.Error(), "no site of this realm has `first_factor password`")
}
