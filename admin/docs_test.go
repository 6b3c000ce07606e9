package admin

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var wordPattern = regexp.MustCompile("`([a-z]+)`")

// documented are the routes of the documentation, with the words of each.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/administration.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST) /[^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(string(text), -1) {
		found[m[1]] = nil
		for _, word := range wordPattern.FindAllStringSubmatch(m[2], -1) {
			found[m[1]] = append(found[m[1]], word[1])
		}
	}
	return found
}

// The documentation has every route, and of each the words that it takes and
// no other.
func TestAdminRoutesDocumented(t *testing.T) {
	routesThere, in := slices.Sorted(maps.Keys(routes)), documented(t)
	if got := slices.Sorted(maps.Keys(in)); !slices.Equal(got, routesThere) {
		t.Fatalf("documented are\n%q, there are\n%q", got, routesThere)
	}
	all := make(map[string]bool)
	for _, words := range in {
		for _, word := range words {
			all[word] = true
		}
	}
	for pattern, words := range in {
		for word := range all {
			if takes := takes(t, pattern, word); takes != slices.Contains(words, word) {
				t.Errorf("%s takes %s: %v", pattern, word, takes)
			}
		}
	}
}

// takes asks a route with a single word, by a service that has nothing: it
// panics where the word was understood.
func takes(t *testing.T, pattern, word string) (understood bool) {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	value := `"x"`
	if word == "new" {
		value = "true"
	}
	r := httptest.NewRequest(method, path, strings.NewReader(`{"`+word+`":`+value+`}`))
	r.Header.Set("Content-Type", "application/json")
	if method == http.MethodGet {
		r.URL.RawQuery = url.Values{word: {"x"}}.Encode()
	}
	defer func() { understood = recover() != nil || understood }()
	_, err := routes[pattern](new(Service), "", r)
	return err == nil || !strings.Contains(err.Error(), "unknown field")
}
