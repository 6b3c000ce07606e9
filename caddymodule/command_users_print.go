package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/stepgate/stepgate/admin"
)

// print prints what was found or done: as JSON, or for people.
func (u *usersCall) print(w io.Writer, v any, show func(*table)) error {
	if u.json {
		text, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			_, err = fmt.Fprintln(w, escaped(string(text)))
		}
		return err
	}
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	show(t)
	return t.out.Flush()
}

// escaped leaves nothing in JSON that a terminal could take for a command, or
// that turns the direction of what follows: all that is in strings.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xFFFF: // in pairs (RFC 8259, section 7)
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// table prints in columns.
type table struct{ out *tabwriter.Writer }

func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			_, _ = io.WriteString(t.out, "\t")
		}
		_, _ = io.WriteString(t.out, cell(c))
	}
	_, _ = io.WriteString(t.out, "\n")
}

// part begins another table under a heading.
func (t *table) part(heading string) {
	_, _ = fmt.Fprintf(t.out, "\n%s\n", heading)
}

// cell is a value as it may stand in a column. What somebody else chose cannot
// look like another column, another line or a command of the terminal.
func cell(v any) string {
	switch v := v.(type) {
	case admin.Name:
		return quoted(string(v), func(r rune) bool { return r == '"' || unicode.IsSpace(r) })
	case time.Time:
		if v.IsZero() {
			return "-"
		}
		return v.UTC().Format(minute)
	default:
		return cmp.Or(quoted(fmt.Sprint(v), func(rune) bool { return false }), "-")
	}
}

func quoted(text string, also func(rune) bool) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar || also(r) }
	if strings.ContainsFunc(text, odd) || strings.Contains(text, "  ") {
		return strconv.Quote(text)
	}
	return text
}

const minute = "2006-01-02 15:04 MST"

func showInvitation(t *table, i admin.Invitation) {
	_, _ = fmt.Fprintf(t.out, "%s\n\nGive this link to %s on a way that nobody else reads. It works once, until %s.\n",
		i.Link, cell(i.Name), cell(i.ExpiresAt))
}

// showDone says what became of somebody, and the ticket if there is one.
func showDone(what string) func(*table, admin.Done) {
	return func(t *table, d admin.Done) {
		_, _ = fmt.Fprintf(t.out, "%s %s.\n", cell(d.Name), what)
		if d.Ticket != "" {
			_, _ = fmt.Fprintf(t.out, "\n%s\n\nHand this ticket to the person, of whom you are sure, on a way that nobody else reads. It is shown this once, and works once, until %s.\n",
				d.Ticket, cell(d.ExpiresAt))
		}
		if d.Untold != "" {
			_, _ = fmt.Fprintf(t.out, "\nThe person could not be told: %s\n", cell(d.Untold))
		}
	}
}

func showUsers(t *table, p admin.Page) {
	for _, u := range p.Users {
		t.row(u.Name, standing(u), cmp.Or(strings.Join(factorsOf(u), ","), "-"), password(u))
	}
	if p.After != "" {
		_, _ = fmt.Fprintf(t.out, "\nThere are more: --after %s\n", cell(p.After))
	}
}

func standing(u admin.User) string {
	if !u.LockedAt.IsZero() {
		return u.State + ", locked"
	}
	return u.State
}

func factorsOf(u admin.User) (names []string) {
	for _, f := range u.Factors {
		names = append(names, string(f))
	}
	return names
}

// password is nothing for whom no administrator made.
func password(u admin.User) string {
	if u.CreatedAt.IsZero() {
		return ""
	}
	state := "no password yet"
	if !u.PasswordSetAt.IsZero() {
		state = "password of " + cell(u.PasswordSetAt)
	}
	if !u.LinkExpiresAt.IsZero() {
		state += ", a link until " + cell(u.LinkExpiresAt)
	}
	return state
}

func showRequests(t *table, all []admin.Request) {
	for _, r := range all {
		t.row(r.Reference, r.Name, r.Decision, r.At, r.Site, r.Address, "checked: "+cmp.Or(string(r.Checked), "no"), r.DecidedBy, r.Why)
	}
}

func showPerson(t *table, p admin.Shown) {
	t.row("name", p.Name)
	t.row("realm", p.Realm)
	t.row("state", standing(p.User))
	t.row("locked", p.LockedAt)
	if p.Rebinding {
		t.row("rebinding", "required")
	}
	if made := password(p.User); made != "" {
		t.row("password", made)
	}
	if p.Preferred != "" {
		t.row("preferred", p.Preferred)
	}
	if p.Request != nil {
		t.part("open request")
		showRequests(t, []admin.Request{*p.Request})
	}
	showHeld(t, p)
	showPlaces(t, p)
	t.part("activity")
	for _, a := range p.Activity {
		t.row(a.At, a.Event, a.Site, a.Address, a.Reference, reasons(a))
	}
}

func showHeld(t *table, p admin.Shown) {
	t.part("factors")
	for _, f := range p.Bound {
		also := ""
		if f.Factor == "recovery" {
			also = strconv.Itoa(f.Left) + " left"
		}
		if !f.RemoveAt.IsZero() {
			also = "goes " + cell(f.RemoveAt)
		}
		t.row(f.ID, f.Factor, f.Name, "strength: "+f.Strength, "bound "+cell(f.BoundAt), "used "+cell(f.UsedAt), also)
	}
	t.part("contacts")
	for _, c := range p.Contacts {
		t.row(c.Kind, c.Masked, "since "+cell(c.BoundAt))
	}
}

func showPlaces(t *table, p admin.Shown) {
	t.part("browsers")
	for _, b := range p.Browsers {
		trust := ""
		if !b.TrustedUntil.IsZero() {
			trust = "trusted until " + cell(b.TrustedUntil)
		}
		t.row(b.SeenAt, b.Address, b.Browser, trust)
	}
	t.part("sessions")
	for _, s := range p.Sessions {
		t.row(s.ID, s.Site, s.Level, "since "+cell(s.BeganAt), "seen "+cell(s.SeenAt), s.Address, s.Browser)
	}
}

func reasons(a admin.Activity) string {
	var all []string
	for _, r := range a.Reasons {
		all = append(all, strings.TrimSuffix(string(r.Code)+": "+r.Detail, ": "))
	}
	return strings.Join(all, "; ")
}
