package contacts

import (
	"testing"

	"pgregory.net/rapid"
)

func TestBrowser(t *testing.T) {
	for ua, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                         "Chrome, Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1": "Safari, iOS",
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                                  "Firefox, Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":     "Edge, macOS",
		"curl/8.5.0": "curl", "": "",
	} {
		if got := Browser(ua); got != want {
			t.Errorf("%q: %q, want %q", ua, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) { Browser(rapid.String().Draw(t, "anything")) }) // does not panic
}
