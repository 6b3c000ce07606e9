package accountsql

import (
	"context"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

// MakeCodes implements accounts.Factors.
func (a *Accounts) MakeCodes(ctx context.Context, c accounts.Credential, digests [][]byte) error {
	return a.held(ctx, c.Subject, func(ctx context.Context, tx Tx, h holding) error {
		if h.state != identity.Bound {
			return accounts.ErrNotBound
		}
		if _, err := tx.ExecContext(ctx, deleteRecovery, c.Subject.Realm, []byte(c.Subject.Name)); err != nil {
			return err
		}
		if err := add(ctx, tx, c); err != nil {
			return err
		}
		for _, digest := range digests {
			if _, err := tx.ExecContext(ctx, insertCode, c.ID, digest); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, endRebinding, c.Subject.Realm, []byte(c.Subject.Name))
		return err
	})
}

// SpendCode implements accounts.Factors. The credential is locked before the
// code, as it is by whoever replaces both.
func (a *Accounts) SpendCode(ctx context.Context, credentialID string, digest []byte, now time.Time) (left int, err error) {
	n := rows.Nanos(now)
	err = a.db.Write(ctx, func(ctx context.Context, tx Tx) error {
		used, err := rows.Affected(tx.ExecContext(ctx, noteUse, n, n, credentialID, n))
		if err == nil && used == 0 {
			err = accounts.ErrNoCredential
		}
		if err != nil {
			return err
		}
		spent, err := rows.Affected(tx.ExecContext(ctx, spendCode, n, credentialID, digest))
		if err == nil && spent == 0 {
			err = whyNoCode(ctx, tx, credentialID, digest)
		}
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, countCodes, credentialID).Scan(&left)
	})
	return rows.Whole(left, err)
}

func whyNoCode(ctx context.Context, tx Tx, credentialID string, digest []byte) error {
	var at int64
	err := tx.QueryRowContext(ctx, findCode, credentialID, digest).Scan(&at)
	if err == nil {
		return accounts.ErrSpent
	}
	return rows.OrNone(err, accounts.ErrNoCredential)
}
