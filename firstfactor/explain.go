package firstfactor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stepgate/stepgate/escrow"
)

// Finding is one part of a condition, seen in one answer.
type Finding struct {
	Part    string // as a Caddyfile says it, like "status 302"
	Differs error  // what the answer lacks, nil if the part holds
}

// Explain looks at each part of a condition for itself, for people who write
// one. Judge stops at the first that does not hold.
func (c *Console) Explain(ctx context.Context, want Condition, a escrow.Answer, probe Prober, now time.Time) (found []Finding) {
	e := &exchange{console: c, answer: a, changes: c.Changes(a.Header, now), probe: probe}
	for _, part := range want.parts() {
		found = append(found, Finding{part.words, e.holds(ctx, part.alone)})
	}
	return found
}

// IsSession tells whether a cookie of this name is one that makes the console
// know a person.
func (c *Console) IsSession(cookie string) bool {
	return c.isSession(cookie) || c.foldsToSession(cookie)
}

type part struct {
	words string
	alone Condition
}

func (c Condition) parts() (parts []part) {
	add := func(said bool, words string, alone Condition) {
		if said {
			parts = append(parts, part{words, alone})
		}
	}
	add(len(c.Status) > 0, "status "+strings.Trim(fmt.Sprint(c.Status), "[]"), Condition{Status: c.Status})
	add(c.Location != "", "location "+c.Location, Condition{Location: c.Location})
	for _, name := range c.SetCookies {
		add(true, "set_cookie "+name, Condition{SetCookies: []string{name}})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		add(true, "header "+name, Condition{Headers: map[string]string{name: c.Headers[name]}})
	}
	for _, at := range slices.Sorted(maps.Keys(c.JSON)) {
		add(true, "json "+at, Condition{JSON: map[string]string{at: c.JSON[at]}})
	}
	add(c.Body != "", "body", Condition{Body: c.Body})
	add(c.Probe != "", "probe "+c.Probe, Condition{Probe: c.Probe})
	return parts
}
