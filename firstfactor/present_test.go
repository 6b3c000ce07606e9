package firstfactor_test

import (
	"net/http"
	"testing"

	"github.com/stepgate/stepgate/firstfactor"
)

// TestPresentCookiesInOneLine: of two Cookie lines a console may read one.
func TestPresentCookiesInOneLine(t *testing.T) {
	h, c := make(http.Header), new(firstfactor.Console)
	for _, name := range []string{"a", "b"} {
		c.Present(h, firstfactor.Credential{Cookie: name, Value: "1"})
	}
	if got := h["Cookie"]; len(got) != 1 || got[0] != "a=1; b=1" {
		t.Errorf("%q", got)
	}
}
