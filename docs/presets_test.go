package docs_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/demo"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/presetcheck"
)

// TestPresetWordsAreExplained: each word that a preset can hold stands in the
// chapter on words.
func TestPresetWordsAreExplained(t *testing.T) {
	_, chapter, _ := strings.Cut(read(t, "docs/presets.md"), "\n## The words\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	explained := make(map[string]bool)
	for _, word := range all("`(\\w+)`", chapter) {
		explained[word] = true
	}
	words := 0
	for _, part := range []any{firstfactor.Console{}, firstfactor.Login{}, firstfactor.Field{}, firstfactor.Condition{},
		firstfactor.Subject{}, firstfactor.TokenEndpoint{}, firstfactor.Federated{}, match.Match{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(part)) {
			word, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if word == "" || word == "-" {
				continue
			}
			if words++; !explained[word] {
				t.Errorf("presets.md does not explain %q of %T", word, part)
			}
		}
	}
	if words < 30 {
		t.Errorf("only %d words were looked for", words)
	}
}

var curlLine = regexp.MustCompile(`(?m)^curl -si \$S(.*) http://console(\S*)$`)

// TestPresetSnippetsAnswer sends each curl line of presets.md to the demo
// console: it answers what stands below it. The session is its own each time.
func TestPresetSnippetsAnswer(t *testing.T) {
	server := httptest.NewServer(demo.NewConsole())
	defer server.Close()
	text := read(t, "docs/presets.md")
	session, compared := "", 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(curl [^`]*)```(?:\n\n```\n(HTTP[^`]*)```)?").FindAllStringSubmatch(text, -1) {
		for _, line := range curlLine.FindAllStringSubmatch(block[1], -1) {
			got, cookie := answerTo(t, server.URL, line[1], line[2], session)
			if cookie != "" {
				session = cookie
			}
			if block[2] == "" {
				continue
			}
			compared++
			for want := range strings.Lines(block[2]) {
				if want = anySession.ReplaceAllString(strings.TrimSpace(want), "SESSION"); !strings.Contains(got, want) {
					t.Errorf("presets.md shows %q below %s, the console answers\n%s", want, line[0], got)
				}
			}
		}
	}
	if compared < 4 || session == "" {
		t.Errorf("%d answers were compared", compared)
	}
}

var anySession = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)

// answerTo sends what curl would, with -d, -b and -u, and returns the answer
// as curl prints it.
func answerTo(t *testing.T, console, flags, path, session string) (answer, cookie string) {
	t.Helper()
	form := make(url.Values)
	for _, pair := range all(`-d (\S+)`, flags) {
		name, value, _ := strings.Cut(pair, "=")
		form.Set(name, value)
	}
	method := http.MethodGet
	if len(form) > 0 {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, console+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if len(form) > 0 {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if strings.Contains(flags, "-b console_session=") {
		r.Header.Set("Cookie", session)
	}
	for _, both := range all(`-u (\S+)`, flags) {
		name, password, _ := strings.Cut(both, ":")
		r.SetBasicAuth(name, password)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	b.WriteString("HTTP/1.1 " + res.Status + "\n")
	_ = res.Header.Write(&b)
	_, _ = io.Copy(&b, res.Body)
	for _, ck := range res.Cookies() {
		cookie = ck.Name + "=" + ck.Value
	}
	return anySession.ReplaceAllString(b.String(), "SESSION"), cookie
}

// TestPresetCheckExample checks the preset that presets.md arrives at against
// the demo console: the report is the one that stands there.
func TestPresetCheckExample(t *testing.T) {
	text := read(t, "docs/presets.md")
	path := filepath.Join(t.TempDir(), "console.json")
	if err := os.WriteFile(path, []byte(all("(?s)```json\n(.*?)```", text)[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	console, err := firstfactor.Console{Preset: path}.WithPreset()
	if err == nil {
		err = console.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(demo.NewConsole())
	defer server.Close()
	base, _ := url.Parse(server.URL + "/")
	check := presetcheck.Check{Console: &console, Base: base, Name: "alice@example.com", Password: "alice-demo", Timeout: 5 * time.Second}
	var out strings.Builder
	report := check.Run(context.Background())
	if _, err := report.WriteTo(&out); err != nil || !report.Passed() {
		t.Fatalf("%v\n%s", err, out.String())
	}
	shown := all("(?s)```\n(Login page: .*?)```", text)
	if len(shown) != 1 || !strings.HasPrefix(out.String(), shown[0]) {
		t.Errorf("presets.md shows\n%s\nthe command says\n%s", shown, out.String())
	}
}

// TestPresetCheckFlagsAreExplained compares the table with the command.
func TestPresetCheckFlagsAreExplained(t *testing.T) {
	text, code := read(t, "docs/presets.md"), read(t, "caddymodule/command_preset.go")
	flags := all(`f\.(?:String|StringToString|Int|Duration)\("([a-z-]+)"`, code)
	if len(flags) < 8 {
		t.Fatalf("the flags were not understood: %q", flags)
	}
	for _, flag := range flags {
		if !strings.Contains(text, "| `--"+flag+"` |") {
			t.Errorf("presets.md does not explain --%s", flag)
		}
	}
	for _, flag := range all("\\| `--([a-z-]+)` \\|", text) {
		if !strings.Contains(code, `("`+flag+`"`) {
			t.Errorf("presets.md explains --%s, which there is not", flag)
		}
	}
}
