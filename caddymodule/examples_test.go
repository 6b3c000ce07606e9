package caddymodule

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Point 10: the example is complete, and runs.
func TestCaddyfileExample(t *testing.T) {
	text := readFile(t, "../Caddyfile.example")
	for _, secret := range []string{"OIDC_SECRET", "SMTP_PASSWORD", "SMS_TOKEN"} {
		t.Setenv(secret, "what the provider gave")
	}
	mustBeFormatted(t, text)
	full := regexp.MustCompile(`(?m)^\t\t# ((?:keys|overlay) /etc|(?:sessions|accounts) \w+ |admin_tls |\t|\}$)`).ReplaceAllString(text, "\t\t$1")
	t.Run("as_it_is", func(t *testing.T) { mustValidate(t, text) })
	t.Run("with_all_options", func(t *testing.T) { // those that need files are comments
		if full == text {
			t.Error("nothing stands in comments")
		}
		mustBeFormatted(t, full)
		mustValidate(t, strings.ReplaceAll(full, "/etc/stepgate", operatorFiles(t)))
	})
	for _, word := range allWords(t) {
		if !regexp.MustCompile(`(?m)^\s*(# *)?` + word + `\b`).MatchString(full) {
			t.Errorf("the example does not show %s", word)
		}
	}
}

// Point 10: the reference has every word.
func TestReferenceComplete(t *testing.T) {
	text := readFile(t, "../docs/configuration.md")
	for _, word := range allWords(t) {
		if !strings.Contains(text, "| `"+word) {
			t.Errorf("docs/configuration.md has no row for %s", word)
		}
	}
}

// allWords asks the parser for its words, by sending it one it does not know.
func allWords(t *testing.T) (all []string) {
	const site = "http://localhost:1 {\nstepgate a {\n%s\n}\n}\n"
	for _, text := range []string{
		"{\nstepgate {\n?\n}\n}\n",
		"{\nstepgate {\npolicy {\n?\n}\n}\n}\n",
		"{\nstepgate {\nrealm a {\n?\n}\n}\n}\n",
		"{\nstepgate {\nrealm a {\npolicy {\n?\n}\n}\n}\n}\n",
		"{\nstepgate {\nrealm a {\npolicy {\ngroup a {\n?\n}\n}\n}\n}\n}\n",
		"{\nstepgate {\nadmin_tls :1 {\n?\n}\n}\n}\n",
		"{\nstepgate {\nsessions redis a:1 {\n?\n}\n}\n}\n",
		"{\nstepgate {\nsessions redis a:1 {\nsentinel a {\n?\n}\n}\n}\n}\n",
		"{\nstepgate {\nsessions redis a:1 {\ntls {\n?\n}\n}\n}\n}\n",
		"{\nstepgate {\naccounts postgres a {\n?\n}\n}\n}\n",
		"{\nstepgate {\nmail a:1 {\n?\n}\n}\n}\n",
		"{\nstepgate {\nsms https://a {\n?\n}\n}\n}\n",
		"{\nstepgate {\nsms twilio {\n?\n}\n}\n}\n",
		"{\nstepgate {\nsms aliyun {\n?\n}\n}\n}\n",
		fmt.Sprintf(site, "?"),
		fmt.Sprintf(site, "first_factor console {\n?\n}"),
		fmt.Sprintf(site, "first_factor password {\n?\n}"),
		fmt.Sprintf(site, "first_factor oidc https://id.example.com {\n?\n}"),
		fmt.Sprintf(site, "first_factor jwt {\n?\n}"),
		fmt.Sprintf(site, "first_factor header Remote-User {\n?\n}"),
		fmt.Sprintf(site, "first_factor caddy {\n?\n}"),
		fmt.Sprintf(site, "first_factor console {\nlogin /login {\n?\n}\n}"),
		fmt.Sprintf(site, "first_factor console {\nsubject cookie a {\n?\n}\n}"),
	} {
		_, err := adapt(text, "Caddyfile")
		_, list, ok := strings.Cut(fmt.Sprint(err), "it has ")
		list, _, _ = strings.Cut(list, ", at ")
		if !ok {
			t.Fatalf("no words in %q", err)
		}
		all = append(all, strings.Split(list, ", ")...)
	}
	return all
}

// Point 10: every Caddyfile that is shown adapts, and is as `caddy fmt` likes.
func TestShownCaddyfiles(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^([ \t]*)```caddyfile\n(.*?)^[ \t]*```")
	shown := 0
	for _, page := range append(pages, "../README.md") {
		for i, block := range blocks.FindAllStringSubmatch(readFile(t, page), -1) {
			shown++
			t.Run(fmt.Sprintf("%s_%d", filepath.Base(page), i+1), func(t *testing.T) {
				text := regexp.MustCompile("(?m)^"+block[1]).ReplaceAllString(block[2], "") // in a list it is indented
				mustBeFormatted(t, text)
				if _, err := adapt(text, page); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if shown < 3 {
		t.Errorf("only %d blocks were found", shown)
	}
}

// The demo's configuration is one that an operator could have.
func TestDemoCaddyfile(t *testing.T) {
	text := readFile(t, "../cmd/stepgate/demo.Caddyfile")
	mustBeFormatted(t, text)
	t.Setenv("STEPGATE_DEMO_DATA", t.TempDir())
	t.Setenv("STEPGATE_DEMO_PORT", "8080")
	mustValidate(t, text)
}

func mustBeFormatted(t *testing.T, text string) {
	t.Helper()
	if formatted := string(caddyfile.Format([]byte(text))); formatted != text {
		t.Errorf("caddy fmt makes of it\n%s", formatted)
	}
}

// mustValidate also sees to it that validating leaves nothing behind.
func mustValidate(t *testing.T, text string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	config, err := adapt(text, "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, config)
	if cfg.StorageRaw == nil {
		cfg.StorageRaw = []byte(fmt.Sprintf(`{"module":"file_system","root":%q}`, home))
	}
	if err := caddy.Validate(cfg); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, home)
}

func mustBeEmpty(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			t.Errorf("validating made %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Point 10: validating opens no database and takes no lock, so it goes on
// beside a gateway that runs on the same data.
func TestValidateBesideRunning(t *testing.T) {
	g := newGate(t)
	g.stop()
	other := &App{dir: filepath.Dir(g.data("x"))} // as another process has the files
	if _, err := other.openStores(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Cleanup() }()
	if err := caddy.Validate(quiet(t, g.config("brand Test"))); err != nil {
		t.Error(err)
	}
	if err := caddy.Validate(quiet(t, g.config("keys "+keyDir(t, "k1")))); err != nil {
		t.Error(err)
	}
}
