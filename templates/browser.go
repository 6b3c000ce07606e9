package templates

import (
	"cmp"
	"strconv"

	"github.com/mileusna/useragent"
)

// browsers and systems are those that people know by name. A User-Agent says
// whatever its sender likes: nothing else of it is shown, least of all in a
// message.
var (
	browsers = map[string]string{
		useragent.Firefox: "Firefox", useragent.Chrome: "Chrome", useragent.HeadlessChrome: "Chrome", useragent.Edge: "Edge",
		useragent.Safari: "Safari", useragent.Opera: "Opera", useragent.OperaMini: "Opera", useragent.OperaTouch: "Opera",
		useragent.Vivaldi: "Vivaldi", "Samsung Browser": "Samsung Internet", "Huawei Browser": "Huawei Browser",
		"MicroMessenger": "WeChat", "Miui Browser": "Mi Browser", "curl": "curl",
	}
	systems = map[string]bool{
		useragent.Windows: true, useragent.MacOS: true, useragent.Linux: true, useragent.IOS: true, useragent.Android: true,
		useragent.ChromeOS: true, useragent.FreeBSD: true,
	}
)

// browser is a User-Agent as people know it: "Firefox 128 · Linux". "" where
// no browser was named.
func (l speech) browser(userAgent string) string {
	if userAgent == "" {
		return ""
	}
	ua := useragent.Parse(userAgent)
	name := cmp.Or(browsers[ua.Name], l.texts["browser.unknown"])
	if v := ua.VersionNo.Major; browsers[ua.Name] != "" && v > 0 && v < 10_000 {
		name += " " + strconv.Itoa(v)
	}
	if systems[ua.OS] {
		name += " · " + ua.OS
	}
	return name
}
