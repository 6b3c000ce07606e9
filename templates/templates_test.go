package templates

import "testing"

func TestNew(t *testing.T) {
	if _, err := New(Options{Base: "/.stepgate"}); err != nil {
		t.Fatal(err)
	}
}
