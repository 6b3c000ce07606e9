package challenge

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/recovery"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// readWritten refuses what has not the form of a written code.
func readWritten(a Answer) (templates.Message, bool) {
	_, ok := recovery.Read(a.Code)
	return templates.Message{Kind: templates.NotACode}, ok
}

// recoveryWay takes one of the ten codes on paper.
type recoveryWay struct{ *step }

func (recoveryWay) name() string                            { return string(identity.Recovery) }
func (recoveryWay) read(a Answer) (templates.Message, bool) { return readWritten(a) }
func (w recoveryWay) page(_ context.Context, m templates.Message) (templates.View, error) {
	return templates.RecoveryCheck{Asking: w.asking(m, w.ways(w.name()))}, nil
}

// check leaves it to the store to say what the code is, in the step that
// spends it: it compares all of them there.
func (w recoveryWay) check(_ context.Context, a Answer) (verdict, error) {
	code, _ := recovery.Read(a.Code)
	i := slices.IndexFunc(w.held, func(c accounts.Credential) bool { return c.Factor == identity.Recovery })
	if i < 0 {
		return verdict{message: templates.RecoveryWrong, reason: policy.Reason{Code: policy.ReasonWrongRecovery}}, nil
	}
	c := w.held[i]
	return verdict{right: true, strength: c.Strength, reason: policy.Reason{Code: policy.ReasonWrongRecovery},
		spentAs: templates.RecoverySpent, wrongAs: templates.RecoveryWrong,
		spend: func(ctx context.Context) error { return w.spendCode(ctx, c, code) }}, nil
}

func (w recoveryWay) spendCode(ctx context.Context, c accounts.Credential, code recovery.Code) (err error) {
	var left int
	for _, key := range w.Ring.Derive(recovery.Keys) {
		left, err = w.Accounts.SpendCode(ctx, c.ID, code.Digest(key, c.ID), w.now)
		if !errors.Is(err, accounts.ErrNoCredential) {
			break
		}
	}
	if err != nil {
		return err
	}
	w.announce(ctx, templates.AnnounceRecoveryUsed, strconv.Itoa(left))
	return w.note(ctx, w.record, w.visitor, audit.RecoveryUsed, policy.Reason{Code: policy.ReasonFactorPassed, Detail: string(identity.Recovery)})
}

// ticketWay takes an administrator's ticket, at the gate before a binding.
type ticketWay struct{ *step }

func (ticketWay) name() string                            { return string(policy.ByTicket) }
func (ticketWay) read(a Answer) (templates.Message, bool) { return readWritten(a) }
func (w ticketWay) page(_ context.Context, m templates.Message) (templates.View, error) {
	return templates.Ticket{Asking: w.asking(m, nil)}, nil
}

func (w ticketWay) check(_ context.Context, a Answer) (verdict, error) {
	code, _ := recovery.Read(a.Code)
	return verdict{right: true, reason: policy.Reason{Code: policy.ReasonWrongTicket},
		spentAs: templates.TicketWrong, wrongAs: templates.TicketWrong,
		spend: func(ctx context.Context) error { return w.redeem(ctx, code) }}, nil
}

func (w ticketWay) redeem(ctx context.Context, code recovery.Code) (err error) {
	for _, key := range w.Ring.Derive(recovery.TicketKeys) {
		err = w.Accounts.RedeemTicket(ctx, w.record.Subject, code.TicketDigest(key, w.record.Subject), w.now)
		if !errors.Is(err, accounts.ErrNoTicket) {
			break
		}
	}
	return err
}
