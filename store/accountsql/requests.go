package accountsql

import (
	"context"
	"fmt"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/store/rows"
)

// FileRequest implements accounts.Help.
func (a *Accounts) FileRequest(ctx context.Context, r accounts.Request) (open accounts.Request, err error) {
	r.Decision, r.DecidedBy, r.DecidedAt, r.Why = accounts.RequestOpen, "", time.Time{}, ""
	err = a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		if _, err := tx.ExecContext(ctx, fileRequest, requestValues(r)...); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, findOpen, r.Subject.Realm, []byte(r.Subject.Name)).Scan(requestFields(&open)...)
	})
	return wholeRequest(open, err)
}

// Request implements accounts.Help.
func (a *Accounts) Request(ctx context.Context, reference string) (r accounts.Request, err error) {
	there, err := a.get(ctx, findRequest, []any{reference}, requestFields(&r)...)
	if err == nil && !there {
		err = accounts.ErrNoRequest
	}
	return wholeRequest(r, err)
}

// Requests implements accounts.Help.
func (a *Accounts) Requests(ctx context.Context, realm string, decision accounts.RequestDecision, limit int) (all []accounts.Request, err error) {
	query, args := findRequests, []any{realm}
	if decision != "" {
		query, args = query+ofDecision, append(args, string(decision))
	}
	err = a.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, requestFields, query+newestRequests, append(args, max(limit, 0))...)
		return err
	})
	for i := range all {
		all[i].From.Mark = orNil(all[i].From.Mark)
	}
	return rows.Whole(all, err)
}

// Decide implements accounts.Help.
func (a *Accounts) Decide(ctx context.Context, reference string, d accounts.RequestDecision, by, why string, now time.Time) (r accounts.Request, err error) {
	if d != accounts.RequestApproved && d != accounts.RequestRefused {
		return r, fmt.Errorf("store: %q is no decision", d)
	}
	err = a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		decided, err := rows.Affected(tx.ExecContext(ctx, decideRequest, string(d), []byte(by), rows.Nanos(now), []byte(why), reference))
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, findRequest, reference).Scan(requestFields(&r)...)
		if err == nil && decided == 0 {
			return accounts.ErrDecided
		}
		return rows.OrNone(err, accounts.ErrNoRequest)
	})
	return wholeRequest(r, err)
}

func wholeRequest(r accounts.Request, err error) (accounts.Request, error) {
	r.From.Mark = orNil(r.From.Mark)
	return rows.Whole(r, err)
}

// requestValues and requestFields are in the order of requestColumns.
func requestValues(r accounts.Request) []any {
	return []any{r.Reference, r.Subject.Realm, []byte(r.Subject.Name), r.Site, rows.Nanos(r.At),
		r.From.Address, []byte(r.From.Browser), blob(r.From.Mark), string(r.Checked),
		string(r.Decision), []byte(r.DecidedBy), rows.Nanos(r.DecidedAt), []byte(r.Why)}
}

func requestFields(r *accounts.Request) []any {
	return []any{&r.Reference, &r.Subject.Realm, &r.Subject.Name, &r.Site, rows.At(&r.At),
		&r.From.Address, &r.From.Browser, &r.From.Mark, &r.Checked,
		&r.Decision, &r.DecidedBy, rows.At(&r.DecidedAt), &r.Why}
}
