package challenge

import (
	"context"
	"errors"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// filings is how often a person may file: an administrator has to read each.
var filings = []limits.Rate{{Count: 3, Period: 24 * time.Hour}}

// mayBeStuck tells whether a request helps: at a login, of a person who needs
// a factor or a ticket.
func (s *step) mayBeStuck() bool {
	return s.record.Purpose.raises() && s.record.stage() != binding
}

// stuckPage offers to file a request, and ways to show who files it.
func (s *step) stuckPage(m templates.Message) Result {
	return s.result(templates.Stuck{Asking: s.asking(m, s.ways("")), Checks: s.contactWays("")}, m)
}

// stuck takes what the person does on that page: file as a stranger, or have
// a code sent and type it.
func (s *step) stuck(ctx context.Context, a Answer) (Result, error) {
	if a.File {
		return s.file(ctx, "")
	}
	w := s.onFile(a.Kind, whyCheck)
	if w == nil {
		return s.stuckPage(templates.Message{}), nil
	}
	if a.Send || a.Code == "" {
		return s.sendBy(ctx, w, w.(sender))
	}
	if m, ok := w.read(a); !ok {
		return s.ask(ctx, w, m)
	}
	return s.checked(ctx, w, a)
}

// checked files for a person who has typed what was sent.
func (s *step) checked(ctx context.Context, w way, a Answer) (Result, error) {
	v, over, err := s.try(ctx, a, w)
	if over != nil || err != nil {
		return deref(over), err
	}
	if !v.right || !s.balance.Allowed {
		v.right = false
		return s.conclude(ctx, a, w, v)
	}
	err = v.spend(ctx)
	if errors.Is(err, accounts.ErrSpent) {
		return s.ask(ctx, w, templates.Message{Kind: v.spentAs})
	}
	if err != nil {
		return Result{}, err
	}
	if err := s.Budgets.Refund(ctx, s.budgetKey(), budget, s.now); err != nil {
		return Result{}, err
	}
	return s.file(ctx, identity.Factor(w.name()))
}

// file stores the request and says its reference. Who has one open gets that,
// unless it was filed with a code, and this one is not: then a thief with the
// password alone could quote it.
func (s *step) file(ctx context.Context, checked identity.Factor) (Result, error) {
	key := "requests/" + s.record.Subject.String()
	balance, err := s.Budgets.Charge(ctx, key, filings, s.now)
	if err != nil {
		return Result{}, err
	}
	if !balance.Allowed {
		return s.stuckPage(templates.Message{Kind: templates.FiledOften, Until: balance.RetryAt}), nil
	}
	r, err := s.Accounts.FileRequest(ctx, accounts.Request{Reference: audit.NewReference(), Subject: s.record.Subject,
		Site: s.record.Site, At: s.now, From: s.visitor.Place, Checked: checked, Decision: accounts.RequestOpen})
	if err != nil {
		return Result{}, err
	}
	if err := s.note(ctx, s.record, s.visitor, audit.HelpAsked, policy.Reason{Code: policy.ReasonRequest, Detail: r.Reference}); err != nil {
		return Result{}, err
	}
	s.announce(ctx, templates.AnnounceRequestFiled, r.Reference)
	if r.Checked != "" && checked == "" { // its reference is worth something to an administrator
		return s.stuckPage(templates.Message{Kind: templates.FiledByCode}), nil
	}
	return Result{Status: 200, View: templates.RequestFiled{Asking: s.asking(templates.Message{}, s.ways("")),
		Request: r.Reference, Checked: r.Checked != ""}}, nil
}
