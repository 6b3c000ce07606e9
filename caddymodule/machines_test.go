package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// siteOf is the one site of a Caddyfile, with these lines in it.
func siteOf(t *testing.T, matchers, lines string) *Handler {
	t.Helper()
	config, err := adapt(fmt.Sprintf("wiki.example.com {\n%s\nstepgate wiki {\n%s\n}\n}\n", matchers, lines), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := json.Unmarshal(config, &whole); err != nil {
		t.Fatal(err)
	}
	site := new(Handler)
	eachObject(whole, func(o map[string]any) {
		if o["handler"] == "stepgate" {
			delete(o, "handler")
			text, _ := json.Marshal(o)
			err = json.Unmarshal(text, site)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func warningsOf(t *testing.T, matchers, lines string) string {
	t.Helper()
	site := siteOf(t, matchers, lines)
	built, err := site.build()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(site.machines(built.Console), "\n")
}

// TestMachinesLeftOpen has sites that say nothing of what a preset knows.
func TestMachinesLeftOpen(t *testing.T) {
	const console = "first_factor console wordpress\n"
	for name, c := range map[string]struct {
		matchers, lines string
		says            []string
	}{
		"nothing is said": {"", console, []string{
			"/wp-json/* takes application passwords. Who has no session gets 401 there, machines too.",
			"write `bypass machines @machines` with `path /wp-json/*` and `client_ip ADDRESSES` in @machines",
			"for nobody, `refuse @tokens` with `path /wp-json/*` and `header Authorization *` in @tokens",
		}},
		"outside of protect": {"", "protect /wp-admin*\n" + console, []string{"Strangers can read there, but Authorization is taken off"}},
		"public":             {"", "public /wp-json/wp/v2/posts\n" + console, []string{"Strangers can read there"}},
		"refused in part":    {"", "refuse /wp-json/wp/v2/users*\n" + console, []string{"/wp-json/* takes application passwords"}},
		"refused for a method": {"", "refuse DELETE /wp-json/*\n" + console,
			[]string{"/wp-json/* takes application passwords"}},
		"a bypass of something else": {"", "bypass feed /feed*\n" + console, []string{"/wp-json/* takes application passwords"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := warningsOf(t, c.matchers, c.lines)
			for _, want := range c.says {
				mustSay(t, got, want)
			}
			if strings.Contains(got, "xmlrpc") {
				t.Errorf("what the preset refuses is left open, too:\n%s", got)
			}
		})
	}
}

// TestMachinesSettled has sites that follow a remedy, or need none.
func TestMachinesSettled(t *testing.T) {
	const console = "first_factor console wordpress\n"
	for name, c := range map[string]struct{ matchers, lines string }{
		"refused":         {"", "refuse /wp-json/*\n" + console},
		"all is refused":  {"", "refuse *\n" + console},
		"tokens are":      {"@tokens {\npath /wp-json/*\nheader Authorization *\n}", "refuse @tokens\n" + console},
		"bypassed":        {"@ci {\npath /wp-json/*\nclient_ip 10.9.0.0/16\n}", "bypass ci @ci\n" + console},
		"bypassed a part": {"@ci {\npath /wp-json/wp/v2/posts*\nremote_ip 10.9.0.7\n}", "bypass ci @ci\n" + console},
		"another preset":  {"", "first_factor console dokuwiki"},
		"none":            {"", "first_factor console qbittorrent"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := warningsOf(t, c.matchers, c.lines); got != "" {
				t.Errorf("it warns:\n%s", got)
			}
		})
	}
}

// TestMachinesBypassedTooBroadly has bypasses that anybody can use.
func TestMachinesBypassedTooBroadly(t *testing.T) {
	for name, c := range map[string]struct{ matchers, lines, says string }{
		"a path alone":       {"", "bypass api /wp-json/*\nfirst_factor console wordpress", "bypass api lets anybody use /wp-json/* (application passwords) without a second factor"},
		"everything":         {"", "bypass all *\nfirst_factor console dokuwiki", "bypass all lets anybody use /lib/exe/xmlrpc.php*"},
		"a part":             {"", "bypass rpc /lib/exe/xmlrpc.php\nfirst_factor console dokuwiki", "bypass rpc lets anybody use /lib/exe/xmlrpc.php*"},
		"every address":      {"@all {\npath /wp-json/*\nclient_ip 0.0.0.0/0 ::/0\n}", "bypass all @all\nfirst_factor console wordpress", "bypass all lets anybody"},
		"a header of theirs": {"@api {\npath /wp-json/*\nheader Authorization *\n}", "bypass api @api\nfirst_factor console wordpress", "bypass api lets anybody"},
		"a method":           {"@api {\npath /wp-json/*\nmethod GET\n}", "bypass api @api\nfirst_factor console wordpress", "bypass api lets anybody"},
		"a login anywhere":   {"", "bypass feed /feed.php\nfirst_factor console dokuwiki", "bypass feed lets anybody use the login, which the console takes in any request, without a second factor"},
		"Basic":              {"", "bypass feed /js/*\nfirst_factor console rabbitmq", "bypass feed lets anybody use the login at * without"},
		"the login":          {"", "bypass api POST /api/v2/*\nfirst_factor console qbittorrent", "bypass api lets anybody use the login at /api/v2/auth/login without a second factor"},
	} {
		t.Run(name, func(t *testing.T) {
			got := warningsOf(t, c.matchers, c.lines)
			mustSay(t, got, c.says)
			mustSay(t, got, "`client_ip ADDRESSES`")
		})
	}
}

// TestMachinesAreLogged loads a site and reads Caddy's log.
func TestMachinesAreLogged(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	config, err := adapt("wiki.example.com {\nstepgate blog {\nfirst_factor console wordpress\n}\n}\n", "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	cfg, log := quiet(t, config), filepath.Join(t.TempDir(), "log")
	cfg.Logging.Logs["default"].WriterRaw = json.RawMessage(fmt.Sprintf(`{"output":"file","filename":%q}`, log))
	if err := caddy.Validate(cfg); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(readFile(t, log)) {
		if strings.Contains(line, `"level":"warn"`) && strings.Contains(line, `"site":"blog"`) && strings.Contains(line, "bypass machines @machines") {
			return
		}
	}
	t.Errorf("the log has no warning:\n%s", readFile(t, log))
}

const machineSite = `{
	admin off
	auto_https off
	storage file_system %[1]s/storage
	log default {
		output discard
	}
}
http://%[2]s {
	bind 127.0.0.1
	@machines {
		path /wp-json/*
		client_ip %[4]s
	}
	@tokens {
		path /wp-json/*
		header Authorization *
	}
	stepgate blog {
		bypass machines @machines
		refuse @tokens
		first_factor console wordpress
	}
	reverse_proxy %[3]s
}
`

// TestMachinesRemedies follows what the warnings say: the machine that is
// named gets through with its credential, others are refused with theirs.
func TestMachinesRemedies(t *testing.T) {
	console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "reached with "+r.Header.Get("Authorization"))
	}))
	defer console.Close()
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Cleanup(func() { _ = caddy.Stop() })
	for who, want := range map[string]string{"127.0.0.1": "200 reached with Bearer token", "10.9.0.0/16": "403"} {
		address := freeAddress(t)
		config, err := adapt(fmt.Sprintf(machineSite, home, address, strings.TrimPrefix(console.URL, "http://"), who), "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Load(config, true); err != nil {
			t.Fatal(err)
		}
		got := calls(t, "http://"+address+"/wp-json/wp/v2/posts", "Bearer token")
		if !strings.HasPrefix(got, want) || want == "403" && strings.Contains(got, "reached") {
			t.Errorf("a call from 127.0.0.1, where %s may: %s", who, got)
		}
		if got := calls(t, "http://"+address+"/wp-admin/", "Bearer token"); strings.Contains(got, "reached") {
			t.Errorf("a machine's call elsewhere, where %s may: %s", who, got)
		}
	}
}

func calls(t *testing.T, address, credential string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", credential)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}
