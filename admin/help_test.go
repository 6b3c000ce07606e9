package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

var alice = identity.Subject{Realm: "staff", Name: "alice"}

// bound gives alice two factors, a mail address and a session.
func (o *office) bound(t *testing.T) {
	t.Helper()
	phone := accounts.Credential{ID: "phone", Subject: alice, Factor: identity.TOTP, Secret: []byte{1}, BoundAt: o.now, Strength: identity.Device}
	laptop := accounts.Credential{ID: "laptop", Subject: alice, Factor: identity.Passkey, Secret: []byte{2}, BoundAt: o.now, Strength: identity.Key}
	filing := admin.Filing{Expected: admin.Expected{Change: at("staff", "alice"), New: true}, OnFile: admin.OnFile{Mail: "alice@example.com"}}
	_, err := o.FileContact(t.Context(), root, filing)
	must(t, err)
	must(t, o.store.BindFirst(t.Context(), phone))
	must(t, o.store.Bind(t.Context(), laptop))
	o.now = o.now.Add(time.Minute)
	o.session(t, "wiki")
}

func (o *office) session(t *testing.T, site string) {
	t.Helper()
	_, _, err := o.live.Admit(t.Context(), sessions.Record{Site: site, Source: "console", Subject: alice, BeganAt: o.now, AuthTime: o.now,
		Idle: time.Hour, ExpiresAt: o.now.Add(24 * time.Hour)})
	must(t, err)
	o.now = o.now.Add(time.Second)
}

func (o *office) shown(t *testing.T) admin.Shown {
	t.Helper()
	shown, err := o.Show(t.Context(), admin.Whom{Realm: "staff", Name: "alice"})
	must(t, err)
	return shown
}

func (o *office) asJSON(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(o.shown(t))
	must(t, err)
	return string(text)
}

func (o *office) redeem(t *testing.T, ticket string) error {
	t.Helper()
	code, ok := recovery.Read(strings.ToLower(ticket))
	if !ok {
		t.Fatalf("%q is no ticket", ticket)
	}
	return o.store.RedeemTicket(t.Context(), alice, code.TicketDigest(o.TicketKey, alice), o.now)
}

func (o *office) filed(t *testing.T) string {
	t.Helper()
	r, err := o.store.FileRequest(t.Context(), accounts.Request{Reference: audit.NewReference(), Subject: alice, Site: "wiki", At: o.now, Decision: accounts.RequestOpen})
	must(t, err)
	return r.Reference
}

// changes are all that an administrator does to somebody who has factors.
var changes = map[string]struct {
	do    func(context.Context, *office) (admin.Done, error)
	event audit.Event
	told  string
}{
	"reset": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.ResetFactors(ctx, root, admin.Reset{Change: at("staff", "alice")})
	}, audit.FactorsReset, "factors_reset"},
	"lock": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.Lock(ctx, root, admin.Expected{Change: at("staff", "alice")})
	}, audit.PersonLocked, "locked"},
	"unlock": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.Unlock(ctx, root, at("staff", "alice"))
	}, audit.PersonUnlocked, "unlocked"},
	"end-sessions": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.EndSessions(ctx, root, admin.Ending{Change: at("staff", "alice")})
	}, audit.SessionsEnded, "sessions_ended"},
	"require-rebinding": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.RequireRebinding(ctx, root, at("staff", "alice"))
	}, audit.RebindingRequired, "rebinding_required"},
	"ticket": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.IssueTicket(ctx, root, admin.Expected{Change: at("staff", "alice")})
	}, audit.TicketIssued, "ticket_issued"},
	"approve": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.Approve(ctx, root, admin.Ruling{Reference: o.reference, Why: "they called"})
	}, audit.HelpApproved, "request_approved"},
	"refuse": {func(ctx context.Context, o *office) (admin.Done, error) {
		return o.Refuse(ctx, root, admin.Ruling{Reference: o.reference, Why: "they called"})
	}, audit.HelpRefused, "request_refused"},
}

// What each change leaves of the factors, the sessions, and of a lock.
func TestAdminChanges(t *testing.T) {
	for name, left := range map[string]struct {
		state             string
		factors, sessions int
		locked, rebinding bool
	}{
		"reset":             {state: "reset"},
		"lock":              {state: "bound", factors: 2, locked: true},
		"unlock":            {state: "bound", factors: 2, sessions: 1},
		"end-sessions":      {state: "bound", factors: 2},
		"require-rebinding": {state: "bound", factors: 2, sessions: 1, rebinding: true},
		"ticket":            {state: "bound", factors: 2, sessions: 1},
		"approve":           {state: "reset"},
		"refuse":            {state: "bound", factors: 2, sessions: 1},
	} {
		o := newOffice(t)
		o.bound(t)
		o.reference = o.filed(t)
		done, err := changes[name].do(t.Context(), o)
		must(t, err)
		s := o.shown(t)
		if s.State != left.state || len(s.Bound) != left.factors || len(s.Sessions) != left.sessions || s.LockedAt.IsZero() == left.locked || s.Rebinding != left.rebinding {
			t.Errorf("%s leaves %+v", name, s)
		}
		if len(s.Contacts) != 1 || strings.Contains(s.Contacts[0].Masked, "alice@example.com") || s.Contacts[0].Masked == "" {
			t.Errorf("%s: contacts %+v", name, s.Contacts)
		}
		if done.Name != "alice" || (done.Ticket != "") != (name == "ticket" || name == "approve") {
			t.Errorf("%s: %+v", name, done)
		}
		if !slices.Equal(o.told.kinds, []string{changes[name].told}) {
			t.Errorf("%s: alice is told %q", name, o.told.kinds)
		}
	}
}

func TestAdminChangesAreAudited(t *testing.T) {
	for name, c := range changes {
		o := newOffice(t)
		o.bound(t)
		o.reference = o.filed(t)
		_, err := c.do(t.Context(), o)
		must(t, err)
		trail, err := o.store.Audit().Find(t.Context(), alice, "", 1)
		must(t, err)
		reasons := fmt.Sprint(trail[0].Reasons)
		if trail[0].Event != c.event || reasons != "[{administrator root (uid 0)} {why_given they called}]" {
			t.Errorf("%s is noted as %+v", name, trail[0])
		}
		if decided := name == "approve" || name == "refuse"; decided != (trail[0].Reference == o.reference) {
			t.Errorf("%s has the reference %q", name, trail[0].Reference)
		}
	}
}

// What cannot be noted is not done, nor what nobody says a reason for.
func TestAdminUnnotedIsNotDone(t *testing.T) {
	for name, c := range changes {
		o := newOffice(t)
		o.bound(t)
		o.reference = o.filed(t)
		before := o.asJSON(t)
		o.Trail = full{}
		if done, err := c.do(t.Context(), o); err == nil || done.Ticket != "" {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		if after := o.asJSON(t); after != before || len(o.told.sent) > 0 {
			t.Errorf("%s: %s\nbecame %s", name, before, after)
		}
	}
	o := newOffice(t)
	o.bound(t)
	for _, why := range []string{"", "  ", "a\nb", "\x1b[31m", "\xff", strings.Repeat("x", 501)} {
		in := admin.Expected{Change: admin.Change{Whom: admin.Whom{Realm: "staff", Name: "alice"}, Why: why}}
		if _, err := o.Lock(t.Context(), root, in); !errors.Is(err, admin.ErrWhy) {
			t.Errorf("%q: %v", why, err)
		}
	}
	if !o.shown(t).LockedAt.IsZero() {
		t.Error("she is locked out")
	}
}

// One factor, or one session.
func TestAdminChangesOne(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	o.session(t, "blog")
	s := o.shown(t)
	_, err := o.EndSessions(t.Context(), root, admin.Ending{Change: at("staff", "alice"), Session: "000000000000"})
	mustBe(t, err, admin.ErrNoSession)
	_, err = o.EndSessions(t.Context(), root, admin.Ending{Change: at("staff", "alice"), Session: s.Sessions[0].ID})
	must(t, err)
	if left := o.shown(t).Sessions; len(left) != 1 || left[0] != s.Sessions[1] {
		t.Errorf("left are %+v", left)
	}
	_, err = o.ResetFactors(t.Context(), root, admin.Reset{Change: at("staff", "alice"), Factor: "tablet"})
	mustBe(t, err, admin.ErrNoFactor)
	_, err = o.ResetFactors(t.Context(), root, admin.Reset{Change: at("staff", "alice"), Factor: "laptop"})
	must(t, err)
	if s := o.shown(t); s.State != "bound" || len(s.Bound) != 1 || s.Bound[0].ID != "phone" || len(s.Sessions) != 0 {
		t.Errorf("%+v", s)
	}
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, not %v", err, want)
	}
}

// A name that nobody has is mostly a mistake; what fails for somebody is noted.
func TestAdminRefusals(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	for _, who := range []admin.Change{at("staff", "Alice"), at("blog", "alice"), at("staff", "alice ")} {
		_, err := o.Lock(t.Context(), root, admin.Expected{Change: who})
		mustBe(t, err, admin.ErrUnseen)
		_, err = o.IssueTicket(t.Context(), root, admin.Expected{Change: who})
		mustBe(t, err, admin.ErrUnseen)
		_, err = o.ResetFactors(t.Context(), root, admin.Reset{Change: who})
		mustBe(t, err, admin.ErrNobody)
		_, err = o.Show(t.Context(), who.Whom)
		mustBe(t, err, admin.ErrNobody)
	}
	_, err := o.Unlock(t.Context(), root, at("nowhere", "alice"))
	mustBe(t, err, admin.ErrNoRealm)
	_, err = o.Lock(t.Context(), root, admin.Expected{Change: at("nowhere", "alice"), New: true})
	mustBe(t, err, admin.ErrNoRealm)
	_, err = o.Lock(t.Context(), root, admin.Expected{Change: at("staff", "a\x00"), New: true})
	mustBe(t, err, admin.ErrName)
	_, err = o.Approve(t.Context(), root, admin.Ruling{Reference: "7K3F-9QXM", Why: "they called"})
	mustBe(t, err, admin.ErrNoRequest)

	_, err = o.Lock(t.Context(), root, admin.Expected{Change: at("staff", "bob"), New: true})
	must(t, err)
	_, err = o.ResetFactors(t.Context(), root, admin.Reset{Change: at("staff", "bob")})
	mustBe(t, err, admin.ErrNeverBound)
	_, err = o.RequireRebinding(t.Context(), root, at("staff", "bob"))
	mustBe(t, err, admin.ErrNeverBound)
	trail, err := o.store.Audit().Find(t.Context(), identity.Subject{Realm: "staff", Name: "bob"}, "", 1)
	must(t, err)
	if trail[0].Event != audit.HelpFailed || !strings.Contains(fmt.Sprint(trail[0].Reasons), "person.rebinding_required: this person has no factor") {
		t.Errorf("noted is %+v", trail[0])
	}
}

func TestAdminTickets(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	issue := func() string {
		done, err := o.IssueTicket(t.Context(), root, admin.Expected{Change: at("staff", "alice")})
		must(t, err)
		if done.ExpiresAt != o.now.Add(24*time.Hour) {
			t.Errorf("it expires at %v", done.ExpiresAt)
		}
		return done.Ticket
	}
	first, second := issue(), issue()
	mustBe(t, o.redeem(t, first), accounts.ErrNoTicket)
	must(t, o.redeem(t, second))
	mustBe(t, o.redeem(t, second), accounts.ErrNoTicket)
	third := issue()
	o.now = o.now.Add(24 * time.Hour)
	mustBe(t, o.redeem(t, third), accounts.ErrNoTicket)
}

func TestAdminTicketIsNowhere(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	o.reference = o.filed(t)
	approved, err := changes["approve"].do(t.Context(), o)
	must(t, err)
	issued, err := changes["ticket"].do(t.Context(), o)
	must(t, err)
	trail, err := o.store.Audit().Find(t.Context(), identity.Subject{}, "", 100)
	must(t, err)
	requests, err := o.Requests(t.Context(), admin.Pile{Realm: "staff"})
	must(t, err)
	said := fmt.Sprintf("%+v %+v %+v %+v", trail, o.told.sent, o.asJSON(t), requests)
	for _, ticket := range []string{approved.Ticket, issued.Ticket} {
		for _, part := range strings.Split(ticket, "-") {
			if strings.Contains(said, part) {
				t.Errorf("%s of %s is in %s", part, ticket, said)
			}
		}
	}
}

// TestAdminResetVoidsTickets: who took a ticket away before binds nothing by it
// after the reset.
func TestAdminResetVoidsTickets(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	before, err := o.IssueTicket(t.Context(), root, admin.Expected{Change: at("staff", "alice")})
	must(t, err)
	_, err = o.ResetFactors(t.Context(), root, admin.Reset{Change: at("staff", "alice")})
	must(t, err)
	mustBe(t, o.redeem(t, before.Ticket), accounts.ErrNoTicket)
	after, err := o.IssueTicket(t.Context(), root, admin.Expected{Change: at("staff", "alice")})
	must(t, err)
	must(t, o.redeem(t, after.Ticket))
}

func TestAdminApproveOnce(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	o.reference = o.filed(t)
	var tickets sync.Map
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			done, err := changes["approve"].do(t.Context(), o)
			if err == nil {
				won.Add(1)
				tickets.Store(i, done.Ticket)
			} else if !errors.Is(err, admin.ErrDecided) || done.Ticket != "" {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d approved it", won.Load())
	}
	tickets.Range(func(_, ticket any) bool {
		must(t, o.redeem(t, ticket.(string)))
		return true
	})
	_, err := changes["refuse"].do(t.Context(), o)
	mustBe(t, err, admin.ErrDecided)
	mustFail(t, err, "approved by root (uid 0)")
}

// A request that was refused resets nobody.
func TestAdminRefusedStaysRefused(t *testing.T) {
	o := newOffice(t)
	o.bound(t)
	o.reference = o.filed(t)
	_, err := changes["refuse"].do(t.Context(), o)
	must(t, err)
	_, err = changes["approve"].do(t.Context(), o)
	mustBe(t, err, admin.ErrDecided)
	if s := o.shown(t); s.State != "bound" || len(s.Sessions) != 1 || s.Request != nil {
		t.Errorf("%+v", s)
	}
	open, err := o.Requests(t.Context(), admin.Pile{Realm: "staff", Open: "yes"})
	must(t, err)
	all, err := o.Requests(t.Context(), admin.Pile{Realm: "staff"})
	must(t, err)
	if len(open) != 0 || len(all) != 1 || all[0].Decision != "refused" || all[0].DecidedBy != string(root) || all[0].Why != "they called" {
		t.Errorf("open %+v, all %+v", open, all)
	}
}

// breaking are stores whose step of a number fails.
type breaking struct {
	admin.Accounts
	admin.Sessions
	left int
}

var errBroken = errors.New("the store is away")

func (b *breaking) step() error {
	b.left--
	if b.left == 0 {
		return errBroken
	}
	return nil
}

func (b *breaking) ResetFactors(ctx context.Context, s identity.Subject, ids ...string) error {
	return unless(b.step(), func() error { return b.Accounts.ResetFactors(ctx, s, ids...) })
}

func (b *breaking) SetLocked(ctx context.Context, s identity.Subject, at time.Time) error {
	return unless(b.step(), func() error { return b.Accounts.SetLocked(ctx, s, at) })
}

func (b *breaking) EndSubject(ctx context.Context, s identity.Subject) error {
	return unless(b.step(), func() error { return b.Sessions.EndSubject(ctx, s) })
}

func (b *breaking) IssueTicket(ctx context.Context, s identity.Subject, digest []byte, expires time.Time) error {
	return unless(b.step(), func() error { return b.Accounts.IssueTicket(ctx, s, digest, expires) })
}

func (b *breaking) Decide(ctx context.Context, ref string, d accounts.RequestDecision, by, why string, now time.Time) (r accounts.Request, err error) {
	return r, unless(b.step(), func() error { r, err = b.Accounts.Decide(ctx, ref, d, by, why, now); return err })
}

func unless(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

// At whichever step a store fails, nobody has more than before, the failure is
// noted, and the same command again finishes it.
func TestAdminFinishesWhatBroke(t *testing.T) {
	for name, steps := range map[string]int{"reset": 2, "lock": 2, "approve": 4, "ticket": 1, "end-sessions": 1, "refuse": 1} {
		for step := 1; step <= steps; step++ {
			o := newOffice(t)
			o.bound(t)
			o.reference = o.filed(t)
			b := &breaking{Accounts: o.Accounts, Sessions: o.Sessions, left: step}
			o.Accounts, o.Sessions = b, b
			done, err := changes[name].do(t.Context(), o)
			mustBe(t, err, errBroken)
			if done.Ticket != "" || len(o.told.kinds) != 0 {
				t.Errorf("%s, broken at step %d: %+v, told %q", name, step, done, o.told.kinds)
			}
			trail, err := o.store.Audit().Find(t.Context(), alice, "", 1)
			must(t, err)
			if trail[0].Event != audit.HelpFailed {
				t.Errorf("%s, broken at step %d: noted is %+v", name, step, trail[0])
			}
			done, err = changes[name].do(t.Context(), o)
			if name == "approve" && step == 4 { // decided: what is missing is the ticket
				mustFail(t, err, "make another with `stepgate users ticket`")
				done, err = changes["ticket"].do(t.Context(), o)
			}
			must(t, err)
			if done.Ticket != "" {
				must(t, o.redeem(t, done.Ticket))
			}
			s := o.shown(t)
			if name != "ticket" && name != "refuse" && len(s.Sessions) != 0 || name == "lock" && s.LockedAt.IsZero() ||
				(name == "reset" || name == "approve") && s.State != "reset" {
				t.Errorf("%s, broken at step %d and repeated: %+v", name, step, s)
			}
		}
	}
}
