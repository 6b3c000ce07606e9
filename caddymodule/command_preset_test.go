package caddymodule

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/demo"
)

// demoPreset describes the demo console.
const demoPreset = `{
	"login_page": "/login?next={return}",
	"logins": [{
		"match": {"methods": ["POST"], "paths": ["/login"]}, "username": {"form": "user"},
		"success": {"status": [303], "set_cookies": ["console_session"]}, "failure": {"status": [401]}
	}],
	"subject": {"probe": "/whoami", "json": "/user"},
	"session_cookies": ["console_session"],
	"public": [{"paths": ["/style.css", "/console.js", "/icon.svg"]}]
}`

// check runs `stepgate preset check` with a password on standard input.
func check(t *testing.T, password string, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "stepgate"}
	caddycmd.Commands()["stepgate"].CobraFunc(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader(password + "\n"))
	root.SetArgs(append([]string{"preset", "check"}, args...))
	err := root.Execute()
	if len(password) > 3 && strings.Contains(out.String(), password) {
		t.Errorf("the password is printed:\n%s", out.String())
	}
	return out.String(), err
}

func demoConsole(t *testing.T) (address, preset string) {
	t.Helper()
	server := httptest.NewServer(demo.NewConsole())
	t.Cleanup(server.Close)
	preset = filepath.Join(t.TempDir(), "demo.json")
	writeFile(t, preset, demoPreset)
	return server.URL, preset
}

func TestPresetCheck(t *testing.T) {
	address, preset := demoConsole(t)
	out, err := check(t, "alice-demo", "--preset", preset, "--name", "alice@example.com", address)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mustSay(t, out, `calls the person "alice"`)
	mustSay(t, out, "the old session opens nothing any more")

	file := filepath.Join(t.TempDir(), "password")
	writeFile(t, file, "alice-demo\nand a second line")
	if out, err := check(t, "not this one", "--preset", preset, "--name", "alice", "--password-file", file, address); err != nil {
		t.Errorf("a password in a file: %v\n%s", err, out)
	}
}

func TestPresetCheckFails(t *testing.T) {
	address, preset := demoConsole(t)
	out, err := check(t, "a wrong one", "--preset", preset, "--name", "alice", address)
	if err == nil {
		t.Errorf("a wrong password passes:\n%s", out)
	}
	mustSay(t, out, "a good login is failure")
	if _, err := check(t, "alice-demo", "--preset", "dokuwiki", "--name", "alice", address); err == nil {
		t.Error("the preset of another console passes")
	}
}

// TestPresetCheckSocket reaches a console that listens on a socket.
func TestPresetCheckSocket(t *testing.T) {
	_, preset := demoConsole(t)
	socket := filepath.Join(t.TempDir(), "console.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.Server{Listener: l, Config: &http.Server{Handler: demo.NewConsole()}}
	server.Start()
	defer server.Close()
	if out, err := check(t, "bob-demo", "--preset", preset, "--name", "bob", "unix/"+socket); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPresetCheckRefuses(t *testing.T) {
	address, preset := demoConsole(t)
	for says, args := range map[string][]string{
		"give the preset with --preset":           {"--name", "alice", address},
		"whom to sign in as":                      {"--preset", preset, address},
		"holds a name or a password":              {"--preset", preset, "--name", "alice", "http://alice:secret@localhost"},
		"the address has a path":                  {"--preset", preset, "--name", "alice", address + "/login"},
		"give the console's own":                  {"--preset", preset, "--name", "alice", "localhost:8080"},
		"--login 2: give the number":              {"--preset", preset, "--name", "alice", "--login", "2", address},
		"no such file":                            {"--preset", "./nowhere.json", "--name", "alice", address},
		"unknown flag: --password":                {"--preset", preset, "--name", "alice", "--password", "x", address},
		"no password was given":                   {"--preset", preset, "--name", "alice", address},
		"accepts 1 arg(s), received 2":            {"--preset", preset, "--name", "alice", address, "alice-demo"},
		"has a matcher of Caddy's":                {"--preset", withMatcher(t), "--name", "alice", address},
		"say which request signs a person in, as": {"--preset", withoutLogin(t), "--name", "alice", address},
	} {
		if out, err := check(t, "", args...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, and not %q\n%s", args, err, says, out)
		}
	}
}

func withMatcher(t *testing.T) string {
	t.Helper()
	return changedPreset(t, `"paths": ["/login"]`, `"matcher": {"path": ["/login"]}`)
}

func withoutLogin(t *testing.T) string {
	t.Helper()
	return changedPreset(t, `"subject":`, `"logins": [], "subject":`)
}

func changedPreset(t *testing.T, was, is string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "changed.json")
	writeFile(t, path, strings.Replace(demoPreset, was, is, 1))
	return path
}
