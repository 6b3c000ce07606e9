package firstfactor

import (
	"net/http"
	"testing"
	"time"

	"github.com/stepgate/stepgate/seal"
)

// BenchmarkOpenCookies opens the one console cookie among those that a
// browser sends.
func BenchmarkOpenCookies(b *testing.B) {
	key, err := seal.NewKey("k")
	if err != nil {
		b.Fatal(err)
	}
	ring, err := seal.NewRing("k", key)
	if err != nil {
		b.Fatal(err)
	}
	c := &Console{SessionCookies: []string{"console_session", "console_[0-9a-f]*"}}
	keeper := Keeper{Site: "console", Boxes: ring.For("console-cookie", "console", "family")}
	answer := http.Header{"Set-Cookie": {"console_session=9f86d081884c7d65"}}
	c.SealCookies(answer, keeper, time.Now())
	sent := []string{"theme=dark; _ga=GA1.1.1; __Host-stepgate-console=MTc; " + answer.Get("Set-Cookie")}
	h := make(http.Header)
	b.ReportAllocs()
	for b.Loop() {
		h["Cookie"] = sent
		c.OpenCookies(h, keeper)
		if h["Cookie"][0] != "theme=dark; _ga=GA1.1.1; console_session=9f86d081884c7d65" {
			b.Fatal(h)
		}
	}
}
