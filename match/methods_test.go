package match

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What is public is GET and HEAD unless a rule or its matcher names methods; a
// bypass is for machines, which also write.
func TestMethodsOfADoor(t *testing.T) {
	post := read(t, httptest.NewRequest(http.MethodPost, "/api", nil))
	yes := func(*http.Request) (bool, error) { return true, nil }
	for name, c := range map[string]struct {
		rule       Match
		all, every bool
	}{
		"a path":                 {Match{Paths: []string{"/api"}}, false, true},
		"a path and its method":  {Match{Methods: []string{"POST"}, Paths: []string{"/api"}}, true, true},
		"another method":         {Match{Methods: []string{"PUT"}, Paths: []string{"/api"}}, false, false},
		"a matcher":              {Match{Matcher: map[string]json.RawMessage{"path": nil}, Func: yes}, false, true},
		"a matcher with methods": {Match{Matcher: map[string]json.RawMessage{"method": nil}, Func: yes}, true, true},
	} {
		if c.rule.All(post) != c.all || c.rule.Every(post) != c.every {
			t.Errorf("%s: All %v, Every %v", name, c.rule.All(post), c.rule.Every(post))
		}
	}
}

func read(t *testing.T, r *http.Request) *Request {
	t.Helper()
	q, err := Read(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
