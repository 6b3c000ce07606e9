package sqlite

import (
	"context"
	"strings"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
)

// Trail is the accounts file as the audit trail.
type Trail Accounts

var (
	_ audit.Trail  = Trail{}
	_ audit.Reader = Trail{}
)

// Append implements audit.Trail.
func (t Trail) Append(ctx context.Context, r audit.Record) error {
	return t.f.exec(ctx, insertAudit, nanos(r.At), string(r.Event), r.Site, r.Subject.Realm, []byte(r.Subject.Name),
		list{&r.Reasons}, r.Reference, r.Address, []byte(r.Browser))
}

// Find implements audit.Reader.
func (t Trail) Find(ctx context.Context, s identity.Subject, reference string, limit int) ([]audit.Record, error) {
	query, args := auditQuery(s, reference, max(limit, 0))
	rows, err := t.f.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, t.f.fault(err)
	}
	all, err := collect(rows, func(r *audit.Record) []any {
		return []any{at{&r.At}, &r.Event, &r.Site, &r.Subject.Realm, &r.Subject.Name,
			list{&r.Reasons}, &r.Reference, &r.Address, &r.Browser}
	})
	return all, t.f.fault(err)
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
