package templates

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBrowser(t *testing.T) {
	en := newSet(t, "").speechOf("en")
	for ua, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                                            "Chrome 142 · Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1":                    "Safari 18 · iOS",
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                                                     "Firefox 145 · Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":                        "Edge 142 · macOS",
		"Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.88 HuaweiBrowser/15.0.1.300 Mobile Safari/537": "Huawei Browser 15 · Android",
		"curl/8.5.0":                                     "curl 8",
		"Call 1234567 at bank.example/1.0":               "Unknown browser",
		"Mozilla/5.0 (X11; Linux) bank.example/1.0":      "Unknown browser · Linux",
		"Chrome/99999999999 (<script>alert(1)</script>)": "Chrome",
		"": "",
	} {
		if got := en.browser(ua); got != want {
			t.Errorf("%q: %q, want %q", ua, got, want)
		}
	}
	if got := newSet(t, "").speechOf("zh").browser("nothing"); got != "未知浏览器" {
		t.Error(got)
	}
}

// TestBrowsersSayNothingOfTheirOwn: whatever is sent as a User-Agent, only
// names that we wrote are shown.
func TestBrowsersSayNothingOfTheirOwn(t *testing.T) {
	en := newSet(t, "").speechOf("en")
	known := []string{"Unknown browser"}
	for _, name := range browsers {
		known = append(known, name)
	}
	for name := range systems {
		known = append(known, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		ua := rapid.OneOf(rapid.String(), rapid.StringMatching(`Mozilla/5\.0 \([A-Za-z0-9 ;:/.<>]{0,40}\) ([A-Za-z<>.]{1,12}/[0-9.]{1,6} ){0,3}`)).Draw(t, "ua")
		rest := en.browser(ua)
		for _, name := range known {
			rest = strings.ReplaceAll(rest, name, "")
		}
		if strings.Trim(rest, " ·0123456789") != "" {
			t.Fatalf("%q: %q", ua, rest)
		}
	})
}
