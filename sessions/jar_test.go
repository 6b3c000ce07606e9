package sessions

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestJarIsSmall: there is room for so many assertions, however long they are.
func TestJarIsSmall(t *testing.T) {
	const assertions, long = 1000, 16 << 10
	jar, err := newJar(assertions)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sessions{jar: jar}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range assertions {
		s.PutBy("wiki", strings.Repeat("x", long)+strconv.Itoa(i), "cookie")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > assertions*long/8 {
		t.Errorf("%d tokens of %d bytes take %d bytes", assertions, long, grown)
	}
	if got := s.CookieOf("wiki", strings.Repeat("x", long)+"7"); got != "cookie" {
		t.Errorf("%q", got)
	}
	if got := s.CookieOf("blog", strings.Repeat("x", long)+"7"); got != "" {
		t.Errorf("at another site: %q", got)
	}
}
