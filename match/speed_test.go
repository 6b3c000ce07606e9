package match

import (
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The short way through NameGlob must not change what matches.
func TestNameGlobIsPathMatch(t *testing.T) {
	same := func(t rapid.TB, pattern, name string) {
		want, err := path.Match(pattern, strings.ReplaceAll(name, "/", "_"))
		if got := NameGlob(pattern, name); got != (want && err == nil) {
			t.Fatalf("%q matches %q: %v", pattern, name, got)
		}
	}
	for _, pattern := range []string{"", "_a", "a*", "*", "?a", "[/_]a", `\_a`, "[", "/a"} {
		for _, name := range []string{"", "/a", "_a", "a", "b"} {
			same(t, pattern, name)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		same(t, rapid.StringMatching(`[ab_/*?\\\[\]^-]{0,6}`).Draw(t, "pattern"), rapid.StringMatching(`[ab_/\\-]{0,6}`).Draw(t, "name"))
	})
}

// A plain path has one reading, which costs one allocation.
func TestPlainRequestIsReadAtOnce(t *testing.T) {
	r := httptest.NewRequest("GET", "/projects/42/settings", nil)
	if n := testing.AllocsPerRun(1000, func() { _, _ = Read(r, nil) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReadPlain(b *testing.B) { benchmarkRead(b, "/projects/42/settings") }

// What only attackers and few consoles send: all readings are made.
func BenchmarkReadEncoded(b *testing.B) { benchmarkRead(b, "/projects/%2e%2e;x=y//settings%252f..") }

func benchmarkRead(b *testing.B, target string) {
	r := httptest.NewRequest("GET", target, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(r, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublic(b *testing.B) {
	q, err := Read(httptest.NewRequest("GET", "/projects/42/settings", nil), nil)
	if err != nil {
		b.Fatal(err)
	}
	rules := Matches{{Paths: []string{"/healthz", "/style.css", "/icon.svg", "/assets/*.js"}}}
	b.ReportAllocs()
	for b.Loop() {
		if rules.All(q) {
			b.Fatal("the page is public")
		}
	}
}

// What a browser sends is told from the headers that say who somebody is
// without comparing a letter.
func TestNamesOfBrowsersAreComparedWithNone(t *testing.T) {
	set := NewNames("remote-user", "remote-groups", "x-forwarded-user", "x-forwarded-email", "x-auth-request-groups", "authorization", "x-http-method-override")
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Connection", "User-Agent", "Referer", "Sec-Fetch-Dest",
		"Sec-Fetch-Mode", "Sec-Fetch-Site", "Upgrade-Insecure-Requests", "Cache-Control", "If-None-Match"} {
		if known := *set.of(name); len(known) > 0 {
			t.Errorf("%s is compared with %q", name, known)
		}
	}
}

func BenchmarkNames(b *testing.B) {
	set := NewNames("remote-user", "remote-groups", "x-forwarded-user", "x-forwarded-email", "x-auth-request-groups", "authorization")
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range []string{"Accept", "Accept-Encoding", "Cookie", "User-Agent", "Sec-Fetch-Dest", "Sec-Fetch-Site"} {
			if set.Has(name) {
				b.Fatal(name)
			}
		}
	}
}
