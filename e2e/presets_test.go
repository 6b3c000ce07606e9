//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// presetCheck runs `stepgate preset check` against a console, with the password on standard input.
func presetCheck(t *testing.T, console *Console, preset, password string, args ...string) (report string, passed bool) {
	t.Helper()
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"preset", "check", "--preset", preset, "--name", Alice.Name}, args...)
	cmd := exec.Command(binary, append(args, console.URL)...)
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.CombinedOutput()
	report = string(out)
	t.Log(report)
	if password == Alice.Password && strings.Contains(report, password) {
		t.Error("the password is printed")
	}
	return report, err == nil
}

func mustRead(t *testing.T, report string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(report, line) {
			t.Errorf("the report does not say %q", line)
		}
	}
}

// TestPresetCheckDokuWiki holds presets against the real wiki.
func TestPresetCheckDokuWiki(t *testing.T) {
	wiki := StartDokuWiki(t)
	report, passed := presetCheck(t, wiki, "dokuwiki", Alice.Password, "--page", wiki.Secret)
	if !passed {
		t.Error("the preset does not fit")
	}
	mustRead(t, report, "outcome: failure", "outcome: success", `calls the person "alice"`, "success set_cookie DW*: holds",
		"cookies that session_cookies does not name: DokuWiki", "nothing opens it without them",
		"the session credentials alone do not open the page; with DokuWiki they do", "GET /doku.php answered 302",
		"after the sign-out the old session still opens the page") // the wiki forgets what it knows, and takes the cookie again
	if _, passed := presetCheck(t, wiki, "dokuwiki", "a wrong password"); passed {
		t.Error("a wrong password passes")
	}
	if report, passed := presetCheck(t, wiki, "wordpress", Alice.Password); passed {
		t.Errorf("the preset of another console fits:\n%s", report)
	}
}

// TestPresetCheckWordPress does it with the real WordPress.
func TestPresetCheckWordPress(t *testing.T) {
	blog := StartWordPress(t)
	report, passed := presetCheck(t, blog, "wordpress", Alice.Password, "--page", blog.Secret)
	if !passed {
		t.Error("the preset does not fit")
	}
	mustRead(t, report, "outcome: failure", "outcome: success", `calls the person "alice"`, "success set_cookie wordpress_logged_in_*: holds",
		"the session credentials alone open it", "nothing opens it without them", "the old session opens nothing any more")
}

// TestPresetCheckByScript has consoles whose login page is made by a script, so that there is no form to read.
func TestPresetCheckByScript(t *testing.T) {
	for name, c := range map[string]struct {
		start func() *Console
		args  []string
		says  []string
	}{
		"qbittorrent": {func() *Console { return StartQBittorrent(t, askEverybody) }, nil,
			[]string{"success body: does not hold", "success body: holds", "sets session credentials: SID", "the old session opens nothing any more"}},
		"nodered": {func() *Console { return StartNodeRed(t) },
			[]string{"--field", "client_id=node-red-editor", "--field", "grant_type=password", "--field", "scope="},
			[]string{"success json /access_token: holds", "sets session credentials: a token"}},
		"rabbitmq": {func() *Console { return StartRabbitMQ(t) }, nil,
			[]string{"GET /api/whoami with Basic credentials", "success probe /api/whoami: does not hold", "success probe /api/whoami: holds"}},
	} {
		t.Run(name, func(t *testing.T) {
			console := c.start()
			report, passed := presetCheck(t, console, name, Alice.Password, append(c.args, "--page", console.Secret)...)
			if !passed {
				t.Error("the preset does not fit")
			}
			mustRead(t, report, `calls the person "alice"`, "the session credentials alone open it", "nothing opens it without them")
			mustRead(t, report, c.says...)
			if report, passed := presetCheck(t, console, name, "a wrong password", c.args...); passed {
				t.Errorf("a wrong password passes:\n%s", report)
			}
		})
	}
}
