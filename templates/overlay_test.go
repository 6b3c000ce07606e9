package templates

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// overlay writes files into a directory of their own.
func overlay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOverlayReplaces(t *testing.T) {
	s := newSet(t, overlay(t, map[string]string{
		"style.css":         ":root { --accent: #00695c }",
		"logo.svg":          `<svg xmlns="http://www.w3.org/2000/svg" id="house"/>`,
		"texts.en.json":     `{"challenge.submit": "Go <on>"}`,
		"pages/notice.html": `{{define "title"}}T{{end}}{{define "main"}}<h1>own notice</h1>{{end}}`,
		".hidden/anything":  "left alone",
		".style.css.swp":    "left alone",
	}))
	body := get(s, "GET", "en", Frame{}, Challenge{}).Body.String()
	if !strings.Contains(body, "Go &lt;on&gt;") || !strings.Contains(body, "6-digit code") {
		t.Error("texts: not one replaced and the others kept, as plain text")
	}
	if strings.Contains(get(s, "GET", "zh", Frame{}, Challenge{}).Body.String(), "Go ") {
		t.Error("English text in a Chinese page")
	}
	if !strings.Contains(get(s, "GET", "zh", Frame{}, Notice{Kind: NoticeCanceled}).Body.String(), "own notice") {
		t.Error("page not replaced")
	}
	style := string(s.assets.files[s.assets.style].body)
	if !strings.HasPrefix(style, string(squeezed(embeddedFile(t, "style.css")))) || !strings.HasSuffix(style, "#00695c }") {
		t.Error("style is not ours followed by the overlay's")
	}
	if s.assets.style == newSet(t, "").assets.style {
		t.Error("another style under the same name would stay in caches")
	}
	if !strings.Contains(string(s.assets.files[s.assets.logo].body), "house") {
		t.Error("logo not replaced")
	}
}

func embeddedFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := embedded.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBrokenOverlayNamesFileAndLine(t *testing.T) {
	const title, end = `{{define "title"}}x{{end}}`, `{{end}}`
	for name, c := range map[string]struct{ file, content, want string }{
		"syntax":            {"pages/notice.html", title + "\n{{define \"main\"}}\n{{if}}{{end}}{{end}}", "pages/notice.html:3"},
		"unclosed":          {"pages/enroll.html", title + "\n{{define \"main\"}}\n", "pages/enroll.html:3"},
		"unknown function":  {"pages/notice.html", title + "\n{{define \"main\"}}{{shout .Brand}}" + end, "pages/notice.html:2"},
		"unknown field":     {"pages/challenge.html", title + "\n\n{{define \"main\"}}{{.View.Secret}}" + end, "pages/challenge.html:3"},
		"field of a state":  {"pages/enroll.html", title + "{{define \"main\"}}\n{{if .View.Expired}}{{.View.Nope}}{{end}}" + end, "pages/enroll.html:2"},
		"unknown text":      {"pages/notice.html", title + "{{define \"main\"}}\n\n\n{{t \"no.such\"}}" + end, "pages/notice.html:4"},
		"lost value":        {"pages/notice.html", title + "{{define \"main\"}}\n{{t \"notice.detail\"}}" + end, "pages/notice.html:2"},
		"no main":           {"pages/notice.html", title, `"main"`},
		"open attribute":    {"pages/notice.html", title + "{{define \"main\"}}\n<a href=\"{{.Base}}>{{if .Site}}\"{{end}}" + end, "pages/notice.html"},
		"unknown key":       {"texts.zh.json", "{\n\"challenge.submit\": \"好\",\n\"challenge.sumbit\": \"好\"\n}", `texts.zh.json:3: no page has a text "challenge.sumbit"`},
		"lost placeholder":  {"texts.en.json", "{\n\"notice.detail\": \"Details\"\n}", `texts.en.json:2: text "notice.detail" has the placeholders [], it needs [{detail}]`},
		"added placeholder": {"texts.en.json", "{\"cancel\": \"{what}\"}", "texts.en.json:1"},
		"broken JSON":       {"texts.en.json", "{\n\"cancel\": \"x\",\n}", "texts.en.json:3"},
		"no string":         {"texts.en.json", "{\n\"cancel\": 3\n}", "texts.en.json:2"},
		"misspelt name":     {"pages/notices.html", "x", "pages/notices.html"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := overlay(t, map[string]string{c.file: c.content})
			_, err := New(Options{Base: base, Overlay: dir})
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\ndoes not say %s", err, c.want)
			}
		})
	}
	if _, err := New(Options{Base: base, Overlay: filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("a missing directory was accepted")
	}
}

// What a browser understands stays as it is.
func TestSqueezedStyle(t *testing.T) {
	got := string(squeezed([]byte("/* why */\n:lang(zh) body, a:hover > b { margin: 0 .5rem;\n\tfont: 1rem/1.6 \"Segoe UI\", sans-serif }\n@media (max-width: 30rem) {\n\t.a .b { width: calc(1rem - 2px) }\n}\n")))
	want := ":lang(zh) body,a:hover > b{margin:0 .5rem;font:1rem/1.6 \"Segoe UI\",sans-serif}@media (max-width:30rem){.a .b{width:calc(1rem - 2px)}}"
	if strings.TrimSpace(got) != want {
		t.Errorf("%q", got)
	}
}

func TestAssets(t *testing.T) {
	s := newSet(t, "")
	for path, a := range s.assets.files {
		for _, method := range []string{"GET", "HEAD"} {
			w := httptest.NewRecorder()
			s.ServeAsset(w, httptest.NewRequest(method, path, nil))
			if w.Code != 200 || w.Header().Get("Content-Type") != a.contentType ||
				w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" ||
				!strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("%s %s: %d %v", method, path, w.Code, w.Header())
			}
			if want := len(a.body); method == "GET" && w.Body.Len() != want || method == "HEAD" && w.Body.Len() != 0 {
				t.Errorf("%s %s: body of %d bytes", method, path, w.Body.Len())
			}
		}
	}
	for _, path := range []string{"/assets/", "/assets/style.css", "/assets/../texts.en.json", "/assets/style.0000000000000000.css"} {
		w := httptest.NewRecorder()
		s.ServeAsset(w, httptest.NewRequest("GET", base+path, nil))
		if w.Code != 404 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}
