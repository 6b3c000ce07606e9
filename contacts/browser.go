package contacts

import (
	"strings"

	"github.com/mileusna/useragent"
)

// Browser is a User-Agent as people know it, in no language: "Chrome, Windows".
// "" where it says neither.
func Browser(userAgent string) string {
	ua := useragent.Parse(userAgent)
	return strings.Trim(ua.Name+", "+ua.OS, ", ")
}
