package challenge

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	lib "github.com/pquerna/otp/totp"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/otp"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/notify"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

// world is the stores of one challenge, and no more of them than a walk needs:
// any other method ends the test.
type world struct {
	accounts.Directory
	Store
	account accounts.Account
	tries   int
	right   bool // the ticket
	taken   map[string]bool
}

func (w *world) Account(context.Context, identity.Subject) (accounts.Account, error) {
	return w.account, nil
}

func (w *world) SpendID(_ context.Context, id string, _ time.Time) error {
	if w.taken[id] {
		return accounts.ErrSpent
	}
	w.taken[id] = true
	return nil
}

func (w *world) AdvanceStep(context.Context, string, int64, bool, time.Time) error { return nil }
func (w *world) NoteUse(context.Context, string, time.Time) error                  { return nil }
func (w *world) BindFirst(context.Context, accounts.Credential, ...identity.Enrollment) error {
	return nil
}
func (w *world) Bind(context.Context, accounts.Credential, ...string) error { return nil }
func (w *world) FileRequest(_ context.Context, r accounts.Request) (accounts.Request, error) {
	return r, nil
}

func (w *world) RedeemTicket(context.Context, identity.Subject, []byte, time.Time) error {
	if w.right {
		return nil
	}
	return accounts.ErrNoTicket
}

func (w *world) Attempt(_ context.Context, _ string, most int, _ time.Time) (int, error) {
	if w.tries >= most {
		return 0, ErrExhausted
	}
	w.tries++
	return most - w.tries, nil
}

func (w *world) Open(context.Context, string, string, identity.Strength, time.Time) error { return nil }
func (w *world) Take(context.Context, string, time.Time) (Record, error)                  { return Record{}, nil }
func (w *world) TakePart(context.Context, string, string, string, time.Time) (Part, error) {
	return Part{}, nil
}

func (w *world) KeepPart(_ context.Context, _ string, p Part, _ time.Time) (Part, error) {
	return p, nil
}

// plenty is a budget that never ends.
type plenty struct{}

func (plenty) Peek(context.Context, string, []limits.Rate, time.Time) (limits.Balance, error) {
	return limits.Balance{Allowed: true, Remaining: 99}, nil
}

func (p plenty) Charge(ctx context.Context, key string, r []limits.Rate, now time.Time) (limits.Balance, error) {
	return p.Peek(ctx, key, r, now)
}
func (plenty) Refund(context.Context, string, []limits.Rate, time.Time) error { return nil }

type silent struct{}

func (silent) Append(context.Context, audit.Record) error                     { return nil }
func (silent) Send(context.Context, notify.Message) error                     { return nil }
func (silent) Has(notify.Channel) bool                                        { return true }
func (silent) Code(string, templates.CodeMessage) (string, string)            { return "", "" }
func (silent) Announce(string, templates.Announcement) (subject, text string) { return "", "" }

const walkKey = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// walk is a person before one challenge.
type walk struct {
	*testing.T
	*Flow
	world   *world
	record  Record
	visitor Visitor
}

func newWalk(t *testing.T, purpose Purpose, gate policy.Gate, at stage) *walk {
	t.Helper()
	key, err := seal.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewRing("k1", key)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{taken: map[string]bool{}}
	now := func() time.Time { return noon }
	book := &contacts.Book{Ring: ring, Courier: silent{}, Writer: silent{}, Budgets: plenty{}, Log: slog.New(slog.DiscardHandler), Now: now}
	f := &Flow{Accounts: w, Challenges: w, Budgets: plenty{}, Trail: silent{}, Ring: ring, Book: book, Issuer: "Test", Log: slog.New(slog.DiscardHandler), Now: now}
	alice := identity.Subject{Realm: "wiki", Name: "alice"}
	all := []identity.Factor{identity.TOTP, identity.SMS}
	r := Record{ID: NewID(), Subject: alice, Site: "wiki", Purpose: purpose, Gate: gate, Parts: map[string]Part{},
		Enroll: at != proving || gate != policy.NoGate, ExpiresAt: noon.Add(Lifetime)}
	k := &walk{T: t, Flow: f, world: w, record: r, visitor: Visitor{Rules: policy.Rules{LoginProtection: policy.Required, Factors: all, Enroll: policy.EnrollTicket}}}
	k.has(alice)
	k.waits(at)
	return k
}

// has gives the person what the state needs that the challenge is for.
func (k *walk) has(who identity.Subject) {
	k.world.account = accounts.Account{Subject: who, State: k.record.states()[0]}
	contact := k.Book.Seal(who, contacts.Address{Kind: identity.SMS, To: "+8613812345678", Lang: "en"})
	k.world.account.Contacts = []accounts.Contact{contact}
	if k.world.account.State == identity.Bound {
		c := accounts.Credential{ID: "app", Subject: who, Factor: identity.TOTP, Strength: identity.Device, BoundAt: noon.Add(-time.Hour)}
		c.Secret = k.Ring.Seal("credential", []byte(walkKey), c.SecretBinding()...)
		k.world.account.Credentials = []accounts.Credential{c}
	}
}

// waits puts in place what was shown or sent.
func (k *walk) waits(at stage) {
	key := Part{Name: keyPart, ID: "pending", ExpiresAt: noon.Add(keyLife)}
	key.Data = k.Ring.Seal("pending", []byte(walkKey), k.record.partBinding(key)...)
	k.record.Parts[keyPart] = key
	if at != contacted {
		return
	}
	sent := waiting{Sent: otp.Seal(k.Ring.Derive("otp")[0], "123456", k.world.account.Contacts[0].ID, identity.SMS, noon, k.record.codeBinding(whyGate)...)}
	data, err := json.Marshal(sent)
	if err != nil {
		k.Fatal(err)
	}
	k.record.Parts[codePart(whyGate, identity.SMS)] = Part{Name: codePart(whyGate, identity.SMS), ID: sent.ID, Data: data, ExpiresAt: sent.ExpiresAt}
}

func (k *walk) code(at time.Time) string {
	code, err := lib.GenerateCode(walkKey, at)
	if err != nil {
		k.Fatal(err)
	}
	return code
}

// answer is one that is right or wrong where the walk stands.
func (k *walk) answer(right bool) Answer {
	k.world.right = right
	wrong := map[bool]time.Duration{true: 0, false: 300 * 24 * time.Hour}[right]
	switch k.record.stage() {
	case ticketed:
		return Answer{Code: string(recovery.New())}
	case contacted:
		return Answer{Code: map[bool]string{true: "123456", false: "654321"}[right]}
	case binding:
		return Answer{Way: "totp", First: k.code(noon.Add(wrong - 30*time.Second)), Second: k.code(noon.Add(wrong))}
	default:
		return Answer{Way: "totp", Code: k.code(noon.Add(wrong))}
	}
}

// does lets something happen and says where the challenge stands then.
func (k *walk) does(on string) string {
	k.Helper()
	var res Result
	var err error
	ctx := k.Context()
	switch on {
	case "right", "wrong":
		res, err = k.Submit(ctx, k.record, k.answer(on == "right"), k.visitor)
	case "last_wrong":
		k.world.tries = codeAttempts - 1
		if k.record.stage() == binding {
			k.world.tries = bindAttempts
		}
		res, err = k.Submit(ctx, k.record, k.answer(false), k.visitor)
	case "request":
		res, err = k.Submit(ctx, k.record, Answer{Way: WayStuck, File: true}, k.visitor)
	case "state":
		k.world.account.State = identity.Unknown
		res, err = k.Submit(ctx, k.record, k.answer(true), k.visitor)
	case "locked":
		k.world.account.LockedAt = noon
		res, err = k.Submit(ctx, k.record, k.answer(true), k.visitor)
	case "cancel":
		if err = k.Cancel(ctx, k.record, k.visitor); err == nil {
			return "over"
		}
	default:
		k.Fatalf("the table says %q, which no test knows", on)
	}
	if err != nil {
		k.Fatal(err)
	}
	return where(k.T, res)
}

// where is the stage whose page this is, or how the challenge ended.
func where(t *testing.T, r Result) string {
	t.Helper()
	if r.Passed {
		return "passed"
	}
	switch v := r.View.(type) {
	case templates.Challenge:
		return "proving"
	case templates.Ticket:
		return "ticketed"
	case templates.SentCode:
		return map[string]string{whyPass: "proving", whyGate: "contacted"}[v.Why]
	case templates.Enroll:
		return "binding"
	case templates.RequestFiled:
		return "filed"
	case templates.Notice:
		return "over"
	}
	t.Fatalf("%T is no page of the diagram", r.View)
	return ""
}

// TestDiagramWalks lets everything that the table names happen at every stage.
// A stage that the table lets nothing happen to, or an event it leaves out
// somewhere, fails.
func TestDiagramWalks(t *testing.T) {
	rows := table(t, "How a challenge goes on")
	begun := map[string]struct {
		purpose Purpose
		gate    policy.Gate
		at      stage
	}{
		"proving":        {Login, policy.NoGate, proving},
		"proving_factor": {Login, policy.ByOldFactor, proving},
		"ticketed":       {Login, policy.ByTicket, ticketed},
		"contacted":      {Login, policy.ByContact, contacted},
		"binding":        {Login, policy.NoGate, binding},
	}
	seen := map[string]int{}
	for _, r := range rows {
		name := r[0][0]
		if name == "proving" && slices.Contains(r[1], "factor") {
			name = "proving_factor"
		}
		b, ok := begun[name]
		if !ok {
			t.Fatalf("%q begins nowhere", r)
		}
		on := r[1][0]
		seen[name+" "+on]++
		if got := newWalk(t, b.purpose, b.gate, b.at).does(on); got != r[2][0] {
			t.Errorf("%q, the code comes to %s", r, got)
		}
	}
	for name := range begun {
		for _, on := range []string{"right", "wrong", "last_wrong", "request", "state", "locked", "cancel"} {
			if n := seen[name+" "+on]; n != 1 && !(name == "proving_factor" && on != "right" && n == 0) {
				t.Errorf("%d rows for %s on %s", n, name, on)
			}
		}
	}
}

// TestDiagramRequestsAtSignInsOnly: who is in has nobody to ask for help from
// a page of a challenge.
func TestDiagramRequestsAtSignInsOnly(t *testing.T) {
	for purpose, want := range map[Purpose]string{Login: "filed", SignOn: "filed", StepUp: "proving", Manage: "proving"} {
		if got := newWalk(t, purpose, policy.NoGate, proving).does("request"); got != want {
			t.Errorf("%s: a request leads to %s, want %s", purpose, got, want)
		}
	}
}
