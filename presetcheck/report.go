package presetcheck

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode"

	"github.com/stepgate/stepgate/firstfactor"
)

// Report is what a check saw.
type Report struct {
	Bad, Good firstfactor.Outcome
	// Subject is the name that the console gave the person, "" if none.
	Subject string
	// Wrong is what makes the preset unusable or unsafe; Unclear is what the
	// check could not tell. Each says what to do.
	Wrong, Unclear []string

	parts   []section
	secrets []string
}

type section struct {
	title string
	lines []string
}

// Passed tells that a good login is a success that names somebody, a bad one
// a failure, and that nothing is wrong.
func (r *Report) Passed() bool {
	return r.Good == firstfactor.Success && r.Bad == firstfactor.Failure && r.Subject != "" && len(r.Wrong) == 0
}

func (r *Report) part(title string) { r.parts = append(r.parts, section{title: title}) }

func (r *Report) say(format string, args ...any) {
	last := &r.parts[len(r.parts)-1]
	last.lines = append(last.lines, fmt.Sprintf(format, args...))
}

func (r *Report) wrong(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

func (r *Report) unclear(format string, args ...any) {
	r.Unclear = append(r.Unclear, fmt.Sprintf(format, args...))
}

// shortest is the length of a value below which it is no secret, but a word
// that may stand anywhere.
const shortest = 8

// hide keeps a value out of what is printed, however it is written there.
func (r *Report) hide(values ...string) {
	for _, v := range values {
		if len(v) < shortest {
			continue
		}
		r.secrets = append(r.secrets, v, url.QueryEscape(v), url.PathEscape(v))
		if plain, err := url.QueryUnescape(v); err == nil {
			r.secrets = append(r.secrets, plain)
		}
	}
}

// WriteTo prints the report.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, s := range r.parts {
		r.list(&b, s.title, "  ", s.lines)
	}
	r.list(&b, "What is wrong, and what to do", "  ! ", r.Wrong)
	r.list(&b, "What stays unclear, and what to do", "  ? ", r.Unclear)
	fmt.Fprintf(&b, "%s\n", r.conclusion())
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (r *Report) list(b *strings.Builder, title, indent string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(b, r.clean(title))
	for _, line := range lines {
		fmt.Fprintln(b, indent+r.clean(line))
	}
	fmt.Fprintln(b)
}

// clean takes secrets out of a line, and what would steer a terminal.
func (r *Report) clean(line string) string {
	for _, secret := range r.secrets {
		if len(secret) >= shortest {
			line = strings.ReplaceAll(line, secret, "(hidden)")
		}
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			return '?'
		}
		return c
	}, line)
}

func (r *Report) conclusion() string {
	if r.Passed() {
		return r.clean(fmt.Sprintf("The preset fits: a good login is a success by %q, a bad one a failure.", r.Subject))
	}
	return fmt.Sprintf("The preset does not fit: a good login is %s, a bad one %s, and %d things are wrong.", r.Good, r.Bad, len(r.Wrong))
}
