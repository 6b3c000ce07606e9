package caddymodule

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/seal"
)

// keyDir is an operator's directory with new keys, of which the first seals.
func keyDir(t *testing.T, ids ...string) string {
	dir := t.TempDir()
	for _, id := range ids {
		addKey(t, dir, id)
	}
	sealWith(t, dir, ids[0])
	return dir
}

func addKey(t *testing.T, dir, id string) {
	k, err := seal.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, id+".key"), base64.StdEncoding.EncodeToString(k.Secret[:])+"\n")
}

func sealWith(t *testing.T, dir, id string) { writeFile(t, filepath.Join(dir, "sealing"), id+"\n") }

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Point 7: keys change in two phases, and nobody notices.
func TestKeyRotation(t *testing.T) {
	g := newGate(t)
	g.stop()
	g.remove(g.data("accounts.db"))
	g.remove(g.data("sessions.db"))
	g.remove(filepath.Join(g.home, "storage", accountsAt))
	dir := keyDir(t, "k1")
	g.mustLoad("keys " + dir)
	alice := g.browser()
	alice.enroll("alice")

	addKey(t, dir, "k2") // first every node opens with both
	g.mustLoad("keys " + dir)
	alice.mustSee("alice")
	sealWith(t, dir, "k2") // then they seal with the new one
	g.mustLoad("keys " + dir)
	alice.mustSee("alice")
	bob := g.browser()
	bob.enroll("bob")

	g.stop()
	g.mustLoad("keys " + dir)
	alice.mustSee("alice")
	bob.mustSee("bob")
	awaitQuietStep()
	later := g.browser()
	later.answer(later.login("alice"), "code", alice.code(1))
	later.mustSee("alice")

	g.stop()
	lost := readFile(t, filepath.Join(dir, "k2.key"))
	g.remove(filepath.Join(dir, "k2.key"))
	sealWith(t, dir, "k1")
	mustSay(t, g.refused("keys "+dir), "k2", "bring the lost key back")
	writeFile(t, filepath.Join(dir, "k2.key"), lost)
	g.remove(filepath.Join(dir, "k1.key"))
	sealWith(t, dir, "k2")
	mustSay(t, g.refused("keys "+dir), "k1", "bring the lost key back")
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustSay(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text)
		}
	}
}

// Point 7: with lost keys or a lost accounts store nobody would be enrolled,
// so the gateway does not start.
func TestLost(t *testing.T) {
	g := newGate(t)
	stored := filepath.Join(g.home, "storage", storedAt)
	keys := readFile(t, stored)
	accounts := g.data("accounts.db")
	g.stop()

	g.remove(stored)
	mustSay(t, g.refused("brand Test"), "keys", "bring the lost key back")
	writeFile(t, stored, keys)
	g.mustLoad("brand Test")
	g.stop()

	mustSay(t, g.refused("keys "+keyDir(t, "k1")), "keys", "bring the lost key back")

	if err := os.Rename(accounts, accounts+".away"); err != nil {
		t.Fatal(err)
	}
	g.remove(accounts)
	mustSay(t, g.refused("brand Test"), "accounts", "bring accounts.db back", accountsAt)
	g.remove(accounts)
	if err := os.Rename(accounts+".away", accounts); err != nil {
		t.Fatal(err)
	}
	g.mustLoad("brand Test")
}

// What is wrong with an operator's key directory is said early.
func TestKeyDirectoryRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string]string
		remedy string
	}{
		"empty":      {nil, "keys new"},
		"no_base64":  {map[string]string{"k1.key": "%%%"}, "keys new"},
		"short":      {map[string]string{"k1.key": "c2hvcnQ="}, "32"},
		"bad_name":   {map[string]string{"K 1.key": newKey()}, "a-z"},
		"no_sealing": {map[string]string{"k1.key": newKey(), "k2.key": newKey()}, "`sealing`"},
		"lost":       {map[string]string{"k1.key": newKey(), "k2.key": newKey(), "sealing": "k3"}, "k3"},
		"typo":       {map[string]string{"k1.key": newKey(), "sealing": "k2"}, "k2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				writeFile(t, filepath.Join(dir, file), text)
			}
			if err := (keyStorage{dir: dir}).check(); err == nil {
				t.Error("it was taken")
			} else {
				mustSay(t, err.Error(), c.remedy, dir)
			}
		})
	}
}
