package challenge

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
)

// row is one of a table of docs/factors.md: the words in code style of each of
// its cells. Words in other style are for people.
type row [][]string

// table reads the rows of the one table below a heading.
func table(t *testing.T, heading string) (rows []row) {
	t.Helper()
	text, err := os.ReadFile("../docs/factors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n### "+heading+"\n")
	part, _, _ = strings.Cut(part, "\n#")
	for line := range strings.Lines(part) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var r row
		for _, cell := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			var words []string
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
				words = append(words, m[1])
			}
			r = append(r, words)
		}
		rows = append(rows, r)
	}
	if !found || len(rows) == 0 {
		t.Fatalf("factors.md has no table below %q", heading)
	}
	return rows
}

// declared are the names of a file's constants of one type.
func declared(t *testing.T, path, kind string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		of := ""
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if v.Type != nil {
				of = fmt.Sprint(v.Type)
			}
			if of == kind {
				names = append(names, v.Names[0].Name)
			}
		}
	}
	return names
}

// In the document's words.
var (
	stageWords = map[stage]string{proving: "proving", ticketed: "ticketed", contacted: "contacted", binding: "binding"}
	stateWords = map[identity.Enrollment]string{identity.Unknown: "unknown", identity.NeverBound: "never_bound",
		identity.Bound: "bound", identity.Reset: "reset", identity.Federated: "federated"}
	gates    = []policy.Gate{policy.NoGate, policy.ByTicket, policy.ByContact, policy.ByOldFactor}
	purposes = []Purpose{Login, SignOn, StepUp, Manage}
)

// TestDiagramKnowsEverything fails when the code has a stage, a gate, a state
// or a purpose that the tests below do not walk through.
func TestDiagramKnowsEverything(t *testing.T) {
	for what, c := range map[string]struct {
		declared []string
		walked   int
	}{
		"stage":   {declared(t, "step.go", "stage"), len(stageWords)},
		"gate":    {declared(t, "../policy/gate.go", "Gate"), len(gates)},
		"state":   {declared(t, "../identity/identity.go", "Enrollment"), len(stateWords)},
		"purpose": {declared(t, "store.go", "Purpose"), len(purposes)},
		"outcome": {declared(t, "../policy/policy.go", "Outcome"), 8},
	} {
		if len(c.declared) != c.walked || c.walked == 0 {
			t.Errorf("%s: the code has %q, the diagram %d of them", what, c.declared, c.walked)
		}
	}
}

// condition is a word of the first table, and whether it holds.
type condition func(f policy.Facts) bool

var conditions = map[string]condition{
	"locked":   func(f policy.Facts) bool { return f.Locked },
	"excluded": func(f policy.Facts) bool { return f.Excluded },
	"evidence": func(f policy.Facts) bool { return f.SingleSignOn && f.Skip.Mode == policy.SkipAlways },
	"sso":      func(f policy.Facts) bool { return f.SingleSignOn },
	"fresh": func(f policy.Facts) bool { // an issuer that was just asked is believed
		return f.SingleSignOn && (f.Evidence.AuthTime.Equal(noon) || f.Evidence.AuthTime.IsZero() && !f.Carried)
	},
	"no_time":     func(f policy.Facts) bool { return f.Carried && f.Evidence.AuthTime.IsZero() },
	"at_login":    func(f policy.Facts) bool { return f.Rules.Enroll == policy.EnrollAtLogin },
	"contact":     func(f policy.Facts) bool { return f.Rules.Enroll == policy.EnrollContact },
	"on_file":     func(f policy.Facts) bool { return f.OnFile },
	"rebinding":   func(f policy.Facts) bool { return f.Rebind },
	"none_counts": func(f policy.Facts) bool { return !slices.Contains(f.Held, identity.TOTP) },
	"old_factor": func(f policy.Facts) bool {
		return slices.Contains(f.Held, identity.TOTP) || slices.Contains(f.Held, identity.SMS) && !slices.Contains(f.Has, identity.TOTP)
	},
	"just_passed": func(f policy.Facts) bool { return f.RecentPass },
	"trusted":     func(f policy.Facts) bool { return f.Trusted },
}

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// people are all kinds of person in all situations after a first factor. Of
// the factors only TOTP counts.
func people(yield func(policy.Facts)) {
	held := [][]identity.Factor{nil, {identity.Recovery}, {identity.SMS}, {identity.SMS, identity.Recovery}, {identity.TOTP}, {identity.TOTP, identity.SMS, identity.Recovery}}
	for bits := range 1 << 7 {
		on := func(i int) bool { return bits>>i&1 == 1 }
		for state := range stateWords {
			for _, how := range []policy.Enrolling{policy.EnrollAtLogin, policy.EnrollContact, policy.EnrollTicket} {
				for _, h := range held {
					f := policy.Facts{Stage: policy.AtLogin, Enrollment: state, Held: h, Now: noon,
						Locked: on(0), Excluded: on(1), OnFile: on(2), Rebind: on(3), RecentPass: on(4), Trusted: on(5),
						Rules: policy.Rules{LoginProtection: policy.Required, Enroll: how, TrustBrowser: time.Hour,
							Factors: []identity.Factor{identity.TOTP, identity.Recovery}}}
					if f.Has = h; on(6) { // one more, that cannot be used here
						f.Has = append(slices.Clone(h), identity.TOTP)
					}
					yield(f)
					f.SingleSignOn = true
					for _, skip := range []policy.SkipMode{policy.SkipNever, policy.SkipAlways} {
						f.Skip.Mode = skip
						for _, at := range []time.Time{{}, noon, noon.Add(-time.Hour)} {
							f.Evidence.AuthTime = at
							f.Carried = true
							yield(f)
							f.Carried = false
							yield(f)
						}
					}
				}
			}
		}
	}
}

// TestDiagramDecisions holds the table of who is asked for what against
// policy.Decide: of every kind of person, the first row that fits says what
// follows.
func TestDiagramDecisions(t *testing.T) {
	rows, used := table(t, "After the first factor"), map[int]bool{}
	people(func(f policy.Facts) {
		i := slices.IndexFunc(rows, func(r row) bool { return fits(t, r, f) })
		if i < 0 {
			t.Fatalf("no row for %+v", f)
		}
		used[i] = true
		d := policy.Decide(f)
		got := []string{d.Outcome.String()}
		if d.Gate != policy.NoGate {
			got = append(got, string(d.Gate))
		}
		if !slices.Equal(rows[i][2], got) {
			t.Fatalf("%q, the code says %q, of %+v", rows[i], got, f)
		}
	})
	for i, r := range rows {
		if !used[i] {
			t.Errorf("nobody comes to %q", r)
		}
	}
}

func fits(t *testing.T, r row, f policy.Facts) bool {
	if !slices.Contains(r[0], "any") && !slices.Contains(r[0], stateWords[f.Enrollment]) {
		return false
	}
	for _, word := range r[1] {
		holds, ok := conditions[word]
		if !ok {
			t.Fatalf("the table says %q, which no test knows", word)
		}
		if !holds(f) {
			return false
		}
	}
	return true
}

// TestDiagramBegins holds the table of first stages against the code.
func TestDiagramBegins(t *testing.T) {
	rows := table(t, "Where a challenge begins")
	for _, p := range purposes {
		for _, enroll := range []bool{false, true} {
			for _, gate := range gates {
				r := Record{Purpose: p, Enroll: enroll, Gate: gate}
				if !enroll && gate != policy.NoGate {
					continue // a gate stands before a binding
				}
				beginsAt(t, rows, r)
				r.Opened = "totp"
				if gate != policy.NoGate && r.stage() != binding {
					t.Errorf("%+v: behind its gate it is %s", r, stageWords[r.stage()])
				}
			}
		}
	}
}

func beginsAt(t *testing.T, rows []row, r Record) {
	t.Helper()
	outcome, gate := "challenge", "none"
	if r.Enroll {
		outcome = "enroll"
	}
	if r.Gate != policy.NoGate {
		gate = string(r.Gate)
	}
	n := 0
	for _, row := range rows {
		if slices.Equal(row[0], []string{outcome}) && slices.Equal(row[1], []string{gate}) {
			n++
			if !slices.Equal(row[2], []string{stageWords[r.stage()]}) {
				t.Errorf("%q, the code says %s", row, stageWords[r.stage()])
			}
		}
	}
	if n != 1 {
		t.Errorf("%d rows for %s, %s", n, outcome, gate)
	}
}

// TestDiagramLimits holds the table of limits against the code.
func TestDiagramLimits(t *testing.T) {
	want := map[string]string{
		"attempts": fmt.Sprint(codeAttempts), "pairs": fmt.Sprint(bindAttempts), "failures": spelled(budget),
		"challenge": span(Lifetime), "code": span(otp.Life), "key": span(keyLife),
		"number": spelled(otp.SMSPerNumber), "mailbox": spelled(otp.MailPerAddress), "person": spelled(sendings),
		"block": spelled(otp.SMSPerBlock), "all": spelled(otp.SMSInAll),
		"subjects": fmt.Sprint(accounts.MaxShared), "requests": spelled(filings), "ticket": span(accounts.TicketLife),
	}
	text, err := os.ReadFile("../docs/factors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table(t, "Limits") {
		limit, ok := want[r[0][0]]
		if !ok || !regexp.MustCompile("(?m)^\\| `"+r[0][0]+"`[^|]*\\| "+regexp.QuoteMeta(limit)+" \\|$").Match(text) {
			t.Errorf("of %q the code says %q", r[0], limit)
		}
		delete(want, r[0][0])
	}
	for what := range want {
		t.Errorf("factors.md does not say %s", what)
	}
}

func spelled(rates []limits.Rate) string {
	var all []string
	for _, r := range rates {
		all = append(all, fmt.Sprintf("%d in %s", r.Count, span(r.Period)))
	}
	return strings.Join(all, ", ")
}

func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d <= 72*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	}
}
