package caddymodule

import (
	"bytes"
	"path/filepath"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/firstfactor"
)

// run runs a command as `caddy stepgate ARGS…` does.
func run(t *testing.T, args ...string) string {
	t.Helper()
	root := &cobra.Command{Use: "stepgate", SilenceUsage: true}
	caddycmd.Commands()["stepgate"].CobraFunc(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestKeysNew(t *testing.T) {
	dir := t.TempDir()
	one, two := run(t, "keys", "new"), run(t, "keys", "new")
	if one == two {
		t.Error("two keys are equal")
	}
	writeFile(t, filepath.Join(dir, "k1.key"), one)
	if _, err := readKeys(dir); err != nil {
		t.Errorf("what it prints is no key: %v", err)
	}
}

func TestPresetsListed(t *testing.T) {
	list := run(t, "presets")
	for _, name := range firstfactor.Presets() {
		mustSay(t, list, name+": tested with ")
	}
	mustSay(t, list, "dokuwiki: tested with 2022-07-31b")
}
