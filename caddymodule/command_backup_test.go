package caddymodule

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// command runs `stepgate ARGS…`.
func command(args ...string) (string, error) {
	root := &cobra.Command{Use: "stepgate", SilenceUsage: true, SilenceErrors: true}
	caddycmd.Commands()["stepgate"].CobraFunc(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	err := root.Execute()
	return out.String(), err
}

// TestBackupAndRestore loses the accounts and brings them back: who was bound
// still is, sessions of before are over.
func TestBackupAndRestore(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	alice.mustSee("alice")
	file := filepath.Join(t.TempDir(), "accounts.backup")
	out, err := command("backup", file, "--socket", g.data("admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	mustSay(t, out, "master keys")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := command("backup", file, "--socket", g.data("admin.sock")); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a second backup went over the first: %v", err)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, g.config("brand Test"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command("restore", file, "--config", config); err == nil {
		t.Error("restored under a running gateway")
	}
	g.stop()
	if _, err := command("restore", file, "--config", config); err == nil || !strings.Contains(err.Error(), "somebody is in the store") {
		t.Errorf("restored over people: %v", err)
	}
	g.remove(g.data("accounts.db"))
	keys := filepath.Join(g.home, "storage", "stepgate", "keys.json")
	if err := os.Rename(keys, keys+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := command("restore", file, "--config", config); err == nil || !strings.Contains(err.Error(), "bring back the master keys") {
		t.Errorf("restored without keys: %v", err)
	}
	if _, err := os.Stat(keys); err == nil {
		t.Error("a restore made new keys")
	}
	if err := os.Rename(keys+".away", keys); err != nil {
		t.Fatal(err)
	}
	if out, err = command("restore", file, "--config", config); err != nil {
		t.Fatal(err)
	}
	mustSay(t, out, "sessions have ended")
	g.mustLoad("brand Test")
	alice.mustNotSee()
	alice.answer(alice.login("alice"), "code", alice.code(1))
	alice.mustSee("alice")
	mustSay(t, g.mustDo("show", "alice"), "factor.bound")
}
