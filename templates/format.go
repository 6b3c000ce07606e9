package templates

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// formats are the functions that write names, times and numbers in the
// language.
func (l speech) formats() template.FuncMap {
	return template.FuncMap{
		"bdi":     isolate,
		"code":    quote,
		"date":    l.date,
		"hour":    l.hour,
		"moment":  l.moment,
		"clock":   l.clock,
		"span":    l.span,
		"until":   func(now, then time.Time) (template.HTML, error) { return l.span(then.Sub(now)) },
		"count":   l.count,
		"browser": l.browser,
		"event":   l.event,
		"otpauth": otpauth,
		"hostOf":  hostOf,
	}
}

// isolate marks a name that may hold anything, so that letters written from
// right to left stay inside it. Marks that turn the direction around are shown
// as what they are: with them one name can look like another.
func isolate(name string) template.HTML {
	var b strings.Builder
	for _, r := range name {
		if unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return template.HTML(`<bdi>` + template.HTMLEscapeString(b.String()) + `</bdi>`)
}

// quote is a name that people copy.
func quote(name string) template.HTML { return "<code>" + isolate(name) + "</code>" }

// All times are UTC and say so: the server does not know the person's zone.

func (l speech) date(t time.Time) template.HTML  { return l.timeTag(t, "format.date") }
func (l speech) hour(t time.Time) template.HTML  { return l.timeTag(t, "format.hour") }
func (l speech) clock(t time.Time) template.HTML { return l.timeTag(t, "format.clock") }

// moment is a full minute that people can wait for; rounded up, for nobody
// should come back too early.
func (l speech) moment(t time.Time) template.HTML {
	return l.timeTag(t.Add(time.Minute-1).Truncate(time.Minute), "format.moment")
}

func (l speech) timeTag(t time.Time, key string) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`,
		t.Format(time.RFC3339), template.HTMLEscapeString(t.Format(l.texts[key]))))
}

// span is a rough duration: one unit, rounded up.
func (l speech) span(d time.Duration) (template.HTML, error) {
	for _, unit := range []struct {
		key   string
		size  time.Duration
		below time.Duration
	}{
		{"span.seconds", time.Second, time.Minute},
		{"span.minutes", time.Minute, 90 * time.Minute},
		{"span.hours", time.Hour, 36 * time.Hour},
	} {
		if d < unit.below {
			return l.count(unit.key, max(1, int((d+unit.size-1)/unit.size)))
		}
	}
	const day = 24 * time.Hour
	return l.count("span.days", int((d+day-1)/day))
}

// count is a text that differs between one and many.
func (l speech) count(key string, n int) (template.HTML, error) {
	if n == 1 {
		return l.texts.html(key+".one", "n", n)
	}
	return l.texts.html(key+".other", "n", n)
}

// otpauth lets a link for authenticator apps pass html/template, which knows
// only the web's schemes.
func otpauth(link string) template.URL {
	if !strings.HasPrefix(link, "otpauth://totp/") {
		return "#"
	}
	return template.URL(link)
}

// hostOf is the host that a link leads to, "" for one on this host.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Host
}
