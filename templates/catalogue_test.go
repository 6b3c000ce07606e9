package templates

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/identity"
)

func TestLanguagesSayTheSame(t *testing.T) {
	s := newSet(t, "")
	first := s.languages[0].texts
	for _, l := range s.languages[1:] {
		for key, text := range first {
			other, ok := l.texts[key]
			if !ok {
				t.Errorf("%s lacks %s", l.Code, key)
			} else if !slices.Equal(placeholders(text), placeholders(other)) {
				t.Errorf("%s: %s has %v, want %v", l.Code, key, placeholders(other), placeholders(text))
			}
		}
		for key := range l.texts {
			if _, ok := first[key]; !ok {
				t.Errorf("%s alone has %s", l.Code, key)
			}
		}
	}
}

// sources are the package's own code and pages, without tests.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "pages/*.html"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
	}
	return all.String()
}

// kinds are the constants of a type in views.go.
func kinds(t *testing.T, source, typ string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(typ+` += "(\w+)"`).FindAllStringSubmatch(source, -1) {
		all = append(all, m[1])
	}
	if len(all) < 5 {
		t.Fatalf("only %v of %s found", all, typ)
	}
	return all
}

func TestEveryTextIsUsed(t *testing.T) {
	source := sources(t)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"([a-z0-9_]+(?:\.[a-z0-9_]+)*)"`).FindAllStringSubmatch(source, -1) {
		used[m[1]], used[m[1]+".one"], used[m[1]+".other"] = true, true, true
	}
	for _, k := range kinds(t, source, "NoticeKind") {
		used["notice."+k+".title"], used["notice."+k+".text"], used["notice."+k+".next"] = true, true, true
	}
	for _, k := range kinds(t, source, "MessageKind") {
		used["message."+k+".title"], used["message."+k+".text"] = true, true
	}
	for _, k := range kinds(t, source, "PasswordError") {
		used["password."+k+".title"], used["password."+k+".text"] = true, true
	}
	for _, k := range kinds(t, source, "AnnouncementKind") {
		used["announce."+k+".subject"], used["announce."+k+".text"] = true, true
	}
	for _, k := range append(kinds(t, source, "ChangeKind"), "contact_remove", "later", "add.totp", "add.passkey", "contact.sms", "contact.email") {
		used["change."+k+".title"], used["change."+k+".text"], used["change."+k+".submit"] = true, true, true
	}
	for _, k := range kinds(t, source, "DoneKind") {
		used["done."+k] = true
	}
	for _, e := range events(t) {
		used["event."+e] = true
	}
	for _, p := range []CodePurpose{CodeSignIn, CodeChange, CodeIdentity} {
		used["code.purpose."+string(p)] = true
	}
	for _, m := range regexp.MustCompile(`print "([a-z0-9_.]+\.)" \.(?:View\.)?(?:Kind|Factor)`).FindAllStringSubmatch(source, -1) {
		for _, f := range identity.Factors() {
			used[m[1]+string(f)] = true
		}
	}
	for key := range newSet(t, "").languages[0].texts {
		if !used[key] {
			t.Errorf("nothing uses %s", key)
		}
	}
}

// events are those of the audit trail that concern a person.
func events(t *testing.T) (all []string) {
	t.Helper()
	source, err := os.ReadFile("../audit/audit.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Event += "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !strings.HasPrefix(m[1], "accounts.") {
			all = append(all, m[1])
		}
	}
	return all
}

// TestEveryEventHasWords: people are shown what was done to their account.
func TestEveryEventHasWords(t *testing.T) {
	all := events(t)
	if len(all) < 40 {
		t.Fatalf("only %v of events found", all)
	}
	for _, l := range newSet(t, "").languages {
		for _, e := range all {
			if l.event(e) == l.event("none such") {
				t.Errorf("%s: no words for %s", l.Code, e)
			}
		}
	}
}

func (a Asking) said() MessageKind { return a.Message.Kind }

// New is only as good as its samples: each kind needs one.
func TestEveryKindHasASample(t *testing.T) {
	seen := map[string]bool{}
	names := map[string]bool{}
	for _, p := range Samples() {
		if names[p.Name] {
			t.Errorf("two samples %s", p.Name)
		}
		names[p.Name] = true
		if v, ok := p.View.(interface{ said() MessageKind }); ok {
			seen["message "+string(v.said())] = true
		}
		switch v := p.View.(type) {
		case Notice:
			seen[string(v.Kind)] = true
		case Password:
			seen["password "+string(v.Error)] = true
		case NewPassword:
			seen["password "+string(v.Error)] = true
		case Security:
			seen["done "+string(v.Done)] = true
		case Change:
			seen["change "+strings.ReplaceAll(string(v.Do), "/", "_")] = true
		}
	}
	source := sources(t)
	for _, k := range kinds(t, source, "NoticeKind") {
		if !seen[k] {
			t.Errorf("no sample of notice %s", k)
		}
	}
	for _, k := range kinds(t, source, "PasswordError") {
		if !seen["password "+k] {
			t.Errorf("no sample of error %s", k)
		}
	}
	for _, k := range kinds(t, source, "DoneKind") {
		if !seen["done "+k] {
			t.Errorf("no sample of done %s", k)
		}
	}
	for _, k := range kinds(t, source, "ChangeKind") {
		if !seen["change "+k] {
			t.Errorf("no sample of change %s", k)
		}
	}
	for _, k := range kinds(t, source, "MessageKind") {
		if !seen["message "+k] {
			t.Errorf("no sample of message %s", k)
		}
	}
}

func TestText(t *testing.T) {
	s := newSet(t, "")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Language", "zh")
	for _, c := range []struct {
		key  string
		args []any
		want string
	}{
		{ProblemSecondFactor, nil, "需要进行两步验证"},
		{"span.days.other", []any{"n", 3}, "3 天"},
		{"notice.detail", []any{"detail", "<{detail}>"}, "详细信息：<{detail}>"},
		{"no.such.key", nil, "no.such.key"},
	} {
		if got := s.Text(r, c.key, c.args...); got != c.want {
			t.Errorf("%s: %q, want %q", c.key, got, c.want)
		}
	}
}

func TestPagesRefuseWrongTexts(t *testing.T) {
	c := catalogue{"a": "{x} & {y}"}
	for name, args := range map[string][]any{"missing": {"x", 1}, "odd": {"x", 1, "y"}, "extra": {"x", 1, "y", 2, "z", 3}} {
		if got, err := c.html("a", args...); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got, err := c.html("a", "x", "<{y}>", "y", isolate("b")); err != nil || got != "&lt;{y}&gt; &amp; <bdi>b</bdi>" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReplaceableFilesAreTheEmbeddedOnes(t *testing.T) {
	want := []string{"favicon.svg"}
	err := fs.WalkDir(embedded, ".", func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			want = append(want, path)
		}
		return err
	})
	got := slices.Sorted(slices.Values(replaceable()))
	if slices.Sort(want); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, want %v (%v)", got, want, err)
	}
}
