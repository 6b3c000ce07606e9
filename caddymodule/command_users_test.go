package caddymodule

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/store/sqlite"
)

// users runs `stepgate users ARGS…` against the gate.
func (g *gate) users(args ...string) (string, error) {
	root := &cobra.Command{Use: "stepgate", SilenceUsage: true, SilenceErrors: true}
	caddycmd.Commands()["stepgate"].CobraFunc(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"users", "--realm", "demo", "--socket", g.data("admin.sock")}, args...))
	err := root.Execute()
	return out.String(), err
}

func (g *gate) mustDo(args ...string) string {
	g.t.Helper()
	out, err := g.users(args...)
	if err != nil {
		g.t.Fatalf("users %q: %v", args, err)
	}
	return out
}

func (g *gate) mustRefuse(saying string, args ...string) {
	g.t.Helper()
	out, err := g.users(args...)
	if err == nil {
		g.t.Fatalf("users %q: done:\n%s", args, out)
	}
	mustSay(g.t, err.Error(), saying)
}

// What administrators do is seen by people at their next request.
func TestUsersCommands(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	mustSay(t, g.mustDo("list"), "alice  bound  totp")
	mustSay(t, g.mustDo("search", "lic"), "alice")
	if out := g.mustDo("search", "bob"); out != "" {
		t.Errorf("found: %s", out)
	}
	shown := g.mustDo("show", "alice")
	for _, part := range []string{"strength: device", "demo  verified", "127.0.0.1", "factor.bound"} {
		mustSay(t, shown, part)
	}
	g.mustRefuse("say why", "end-sessions", "alice")
	g.mustRefuse("no person of this name", "end-sessions", "alise", "--why", "x")
	g.mustRefuse("--new", "lock", "alise", "--why", "x")
	g.mustRefuse("their own", "contact", "alice", "--mail", "mallory@example.com", "--why", "x")
	g.mustRefuse("nobody filed", "approve", "7K3F-9QXM", "--why", "x")
	alice.mustSee("alice")

	mustSay(t, g.mustDo("end-sessions", "alice", "--why", "laptop stolen"), "alice is signed out")
	alice.mustNotSee()
	g.mustDo("lock", "alice", "--why", "left")
	mustSay(t, g.mustDo("list"), "bound, locked")
	g.mustDo("unlock", "alice", "--why", "came back")
	mustSay(t, g.mustDo("require-rebinding", "alice", "--why", "seen by others"), "binds another factor")
	mustSay(t, g.mustDo("show", "alice"), "laptop stolen")
	mustSay(t, g.mustDo("reset", "alice", "--why", "phone lost"), "alice is reset")
	mustSay(t, g.mustDo("list"), "alice  reset")
	g.mustRefuse("has no factor", "require-rebinding", "alice", "--why", "x")
	ticket := regexp.MustCompile(`(?m)^[2-9A-Z]{4}(-[2-9A-Z]{4}){3}$`)
	if out := g.mustDo("ticket", "alice", "--why", "came by"); !ticket.MatchString(out) {
		t.Errorf("no ticket in %s", out)
	}
}

// One session, one factor, and a request.
func TestUsersByID(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	var p admin.Shown
	if err := json.Unmarshal([]byte(g.mustDo("show", "alice", "--json")), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Sessions) != 1 || len(p.Bound) != 1 || p.State != "bound" {
		t.Fatalf("%+v", p)
	}
	g.mustRefuse("no session of this id", "end-sessions", "alice", "--session", "none", "--why", "x")
	g.mustDo("end-sessions", "alice", "--session", p.Sessions[0].ID, "--why", "x")
	alice.mustNotSee()
	g.mustRefuse("no factor of this id", "reset", "alice", "--factor", "none", "--why", "x")
	reference := g.file("alice")
	mustSay(t, g.mustDo("requests", "--open"), reference)
	g.mustDo("refuse", reference, "--why", "it was not her")
	if out := g.mustDo("requests", "--open"); out != "" {
		t.Errorf("still open: %s", out)
	}
	mustSay(t, g.mustDo("requests"), "it was not her")
	g.mustRefuse("decided before", "approve", reference, "--why", "x")
	g.mustDo("reset", "alice", "--factor", p.Bound[0].ID, "--why", "x")
	mustSay(t, g.mustDo("list"), "alice  reset")
}

// file files a request, as who can use none of their factors does.
func (g *gate) file(name string) string {
	g.t.Helper()
	g.stop()
	store, err := sqlite.OpenAccounts(g.data("accounts.db"))
	if err != nil {
		g.t.Fatal(err)
	}
	r, err := store.FileRequest(g.t.Context(), accounts.Request{Reference: audit.NewReference(), Subject: identity.Subject{Realm: "demo", Name: name},
		Site: "demo", At: time.Now(), Decision: accounts.RequestOpen})
	if err != nil {
		g.t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		g.t.Fatal(err)
	}
	g.mustLoad("brand Test")
	return r.Reference
}

// dangerous is what names, browsers and reasons may hold.
const dangerous = "a\x1b[2J\u009b2J\tb\nQ\r\u202e<script>\x00\u2066\U000e0041"

func TestUsersPrintsHarmlessly(t *testing.T) {
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	user := admin.User{Name: dangerous, State: "bound", Factors: []identity.Factor{"totp"}, CreatedAt: at}
	request := admin.Request{Whom: admin.Whom{Realm: "staff", Name: dangerous}, Reference: "7K3F-9QXM", Browser: dangerous, Why: dangerous, DecidedBy: dangerous}
	person := admin.Shown{Realm: "staff", User: user, Request: &request,
		Bound:    []admin.Factor{{ID: "x", Name: dangerous, Browser: dangerous}},
		Browsers: []admin.Browser{{Browser: dangerous, Address: dangerous}},
		Sessions: []admin.Session{{ID: "x", Browser: dangerous, Site: dangerous}},
		Activity: []admin.Activity{{Reasons: []policy.Reason{{Code: "x", Detail: dangerous}}, Browser: dangerous}}}
	page := admin.Page{Users: []admin.User{user, {Name: "two  columns"}, {Name: "with blank"}}, After: dangerous}
	done := admin.Done{Whom: request.Whom, Untold: dangerous}
	for _, asJSON := range []bool{false, true} {
		u := &usersCall{json: asJSON}
		for _, what := range []struct {
			of   any
			show func(*table)
		}{
			{page, func(t *table) { showUsers(t, page) }},
			{person, func(t *table) { showPerson(t, person) }},
			{request, func(t *table) { showRequests(t, []admin.Request{request}) }},
			{done, func(t *table) { showDone("is locked out")(t, done) }},
		} {
			var out bytes.Buffer
			if err := u.print(&out, what.of, what.show); err != nil {
				t.Fatal(err)
			}
			odd := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
			if strings.ContainsFunc(out.String(), odd) || strings.Contains(out.String(), "\nQ") {
				t.Errorf("JSON %v: %q", asJSON, out.String())
			}
			again := what.of
			if asJSON && json.Unmarshal(out.Bytes(), &again) != nil {
				t.Errorf("no JSON: %s", out.String())
			}
		}
	}
	if got := cell(admin.Name("with blank")) + cell(admin.Name("用户")) + cell("two words"); got != `"with blank"用户two words` {
		t.Errorf("got %s", got)
	}
}

// The documentation names every command, with words that it has.
func TestUsersDocumented(t *testing.T) {
	root := &cobra.Command{Use: "stepgate"}
	caddycmd.Commands()["stepgate"].CobraFunc(root)
	users, _, err := root.Find([]string{"users"})
	if err != nil {
		t.Fatal(err)
	}
	commands := make(map[string]*cobra.Command)
	for _, c := range users.Commands() {
		commands[c.Name()] = c
	}
	table, seen := readFile(t, "../docs/administration.md"), make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `stepgate users ([^`]+)`").FindAllStringSubmatch(table, -1) {
		name, _, _ := strings.Cut(m[1], " ")
		if c := commands[name]; c == nil || c.Use != m[1] {
			t.Errorf("the table has %q, which is no command", m[1])
		}
		seen[name] = true
	}
	for name := range commands {
		if !seen[name] {
			t.Errorf("the table does not have %s", name)
		}
	}
	for _, path := range []string{"administration.md", "configuration.md", "problems.md", "first-factors.md", "security.md"} {
		for _, m := range regexp.MustCompile("stepgate users ([a-z][a-z-]*)([^`\n]*)").FindAllStringSubmatch(readFile(t, "../docs/"+path), -1) {
			c := commands[m[1]]
			if c == nil {
				t.Errorf("%s has `stepgate users %s`, which is no command", path, m[1])
				continue
			}
			for _, flag := range regexp.MustCompile(`--([a-z]+)`).FindAllStringSubmatch(m[2], -1) {
				if c.Flag(flag[1]) == nil {
					t.Errorf("%s has `stepgate users %s --%s`, which has no such flag", path, m[1], flag[1])
				}
			}
		}
	}
}
