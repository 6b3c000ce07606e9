package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/selfservice"
)

// section is what stands below a heading, up to the next.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, part, ok := strings.Cut(read(t, path), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no %q", path, heading)
	}
	part, _, _ = strings.Cut(part, "\n#")
	return part
}

func TestFactorsAreWorthWhatTheySay(t *testing.T) {
	part := section(t, "docs/factors.md", "## What each is worth")
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d) \\| `(\\w+)` \\|").FindAllStringSubmatch(part, -1)
	if len(rows) != len(identity.Factors()) {
		t.Errorf("%d rows for %v", len(rows), identity.Factors())
	}
	for _, r := range rows {
		f := identity.Factor(r[1])
		if r[2] != fmt.Sprint(f.Strength()) || r[3] != f.AMR() {
			t.Errorf("%q, the code says %d, %s", r[0], f.Strength(), f.AMR())
		}
	}
}

// TestFactorsAnnouncements compares what people are told with what some code
// sends: a text that nobody sends is no announcement.
func TestFactorsAnnouncements(t *testing.T) {
	words := make(map[string]string) // of the constants
	for _, m := range regexp.MustCompile(`(Announce\w+)\s+AnnouncementKind = "(\w+)"`).FindAllStringSubmatch(read(t, "templates/messages.go"), -1) {
		words[m[1]] = m[2]
	}
	var want []string
	for _, path := range find(t, ".go") {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "templates/") || strings.HasPrefix(path, "contacts/") {
			continue
		}
		for _, name := range all(`templates\.(Announce[A-Z]\w+)`, read(t, path)) {
			if word := words[name]; word != "" && !slices.Contains(want, word) {
				want = append(want, word)
			}
		}
	}
	var got []string
	for _, cell := range all("(?m)^\\| (`[^|]+) \\|", section(t, "docs/factors.md", "## What is announced")) {
		got = append(got, all("`([^`]+)`", cell)...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) < 10 || !slices.Equal(got, want) {
		t.Errorf("factors.md has\n%q, the code sends\n%q", got, want)
	}
}

// TestFactorsNumbers holds the numbers in the text to those of the code.
func TestFactorsNumbers(t *testing.T) {
	text := read(t, "docs/factors.md")
	masked := contacts.Mask(identity.SMS, "+8613812345678") + "`, `" + contacts.Mask(identity.Email, "alice@example.com")
	for want, holds := range map[string]bool{
		"takes 72 hours":                  selfservice.RemovalDelay == 72*time.Hour,
		"A person has at most 20 factors": selfservice.MaxFactors == 20,
		"Ten codes of sixteen letters":    recovery.Count == 10 && len(recovery.New()) == 16+3,
		"`" + masked + "`":                true,
	} {
		if !holds || !strings.Contains(text, want) {
			t.Errorf("%q: in the text %v, of the code %v", want, strings.Contains(text, want), holds)
		}
	}
}
