package accountsql

import (
	"context"
	"strings"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/rows"
)

// Trail is the database as the audit trail.
type Trail Accounts

var (
	_ audit.Trail  = Trail{}
	_ audit.Reader = Trail{}
)

// Append implements audit.Trail.
func (t Trail) Append(ctx context.Context, r audit.Record) error {
	return (*Accounts)(&t).exec(ctx, insertAudit, rows.Nanos(r.At), string(r.Event), r.Site, r.Subject.Realm, []byte(r.Subject.Name),
		rows.List(&r.Reasons), r.Reference, r.Address, []byte(r.Browser))
}

// Find implements audit.Reader.
func (t Trail) Find(ctx context.Context, s identity.Subject, reference string, limit int) ([]audit.Record, error) {
	query, args := auditQuery(s, reference, max(limit, 0))
	var all []audit.Record
	err := t.db.Read(ctx, func(ctx context.Context, r Reader) (err error) {
		all, err = find(ctx, r, auditFields, query, args...)
		return err
	})
	return rows.Whole(all, err)
}

func auditFields(r *audit.Record) []any {
	return []any{rows.At(&r.At), &r.Event, &r.Site, &r.Subject.Realm, &r.Subject.Name,
		rows.List(&r.Reasons), &r.Reference, &r.Address, &r.Browser}
}

func auditQuery(s identity.Subject, reference string, limit int) (query string, args []any) {
	var conditions []string
	if !s.IsZero() {
		conditions, args = append(conditions, ofSubject), append(args, s.Realm, []byte(s.Name))
	}
	if reference != "" {
		conditions, args = append(conditions, ofReference), append(args, reference)
	}
	query = findAudit
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	return query + newestAudits, append(args, limit)
}
