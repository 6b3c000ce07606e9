package rows

import (
	"testing"
	"time"
)

func TestInstants(t *testing.T) {
	for _, want := range []time.Time{{}, time.Unix(1, 1), time.Unix(0, -1), time.Now()} {
		if got := Instant(Nanos(want)); !got.Equal(want) {
			t.Errorf("%v came back as %v", want, got)
		}
	}
	if far := Nanos(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); far <= Nanos(time.Now()) {
		t.Errorf("a far future became %v", Instant(far))
	}
}

// TestWords: a word that is not known is an error, and so is a state without a word.
func TestWords(t *testing.T) {
	names := map[int]string{1: "one", 2: "two"}
	for word, known := range map[string]bool{"one": true, "two": true, "three": false, "": false} {
		state := 7
		if err := Words(&state, names).Scan(word); (err == nil) != known || known == (state == 7) {
			t.Errorf("%q became %d, %v", word, state, err)
		}
	}
	state := 3
	if v, err := Words(&state, names).Value(); err == nil {
		t.Errorf("%d is stored as %v", state, v)
	}
}
