package accountsql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/stepgate/stepgate/backup"
)

var _ backup.Store = (*Accounts)(nil)

// table is one that a backup holds: all but tickets, which are void in another
// database. The first columns, as many
// as key says, are its primary key. What a new database noted already stays
// where it is kept (a spent id, a budget); of a person nothing may be there,
// not even of who comes while the database is filled.
type table struct {
	name    string
	key     int
	kept    bool
	columns []column
}

type column struct {
	name string
	kind byte // 't' text, 'b' bytes, 'i' integer, 'f' flag
}

// tables are in the order in which foreign keys let them be filled. A column
// that is missing here is found by a test.
var tables = []table{
	{"meta", 1, true, columns("name t value b")}, // the check values of the master keys
	{"accounts", 2, false, columns("realm t name b state t valid_from i locked_at i rebind_from i preferred t")},
	{"credentials", 1, false, columns("id t realm t name b factor t label b secret b last_step i bound_at i used_at i " +
		"strength t bound_address t bound_browser b bound_mark b noticed f remove_at i")},
	{"codes", 2, false, columns("credential t digest b spent_at i")},
	{"contacts", 1, false, columns("id t realm t name b kind t address b digest b language t bound_at i")},
	{"browsers", 3, false, columns("realm t name b digest b seen_at i passed_at i first_at i address t browser b trusted_until i")},
	{"people", 2, false, columns("realm t name b created_at i password b set_at i link_expires_at i")},
	{"requests", 1, false, columns("reference t realm t name b site t at i address t browser b mark b checked t decision t decided_by b decided_at i why b")},
	{"spent", 1, true, columns("id b expires_at i")},
	{"budgets", 2, true, columns("budget b period i tat i")},
	{"audit", 0, true, columns("at i event t site t realm t name b reasons t reference t address t browser b")},
}

// columns reads pairs of a name and a kind.
func columns(list string) (all []column) {
	words := strings.Fields(list)
	for i := 0; i < len(words); i += 2 {
		all = append(all, column{words[i], words[i+1][0]})
	}
	return all
}

func (t table) names(first int) string {
	names := make([]string, 0, first)
	for _, c := range t.columns[:first] {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// dest is a value of the column's kind to scan into.
func (c column) dest() any {
	switch c.kind {
	case 't':
		return new(string)
	case 'b':
		return new([]byte)
	case 'f':
		return new(bool)
	default:
		return new(int64)
	}
}

// Dump implements backup.Store: all rows as they were at one moment.
func (a *Accounts) Dump(ctx context.Context, emit func(backup.Row) error) error {
	return a.db.Snapshot(ctx, func(ctx context.Context, r Reader) error {
		for _, t := range tables {
			if err := t.dump(ctx, r, emit); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		return nil
	})
}

// page is how many rows one statement reads, so that none takes long.
const page = 500

// dump reads a table in pages, each behind the last row of the one before.
func (t table) dump(ctx context.Context, r Reader, emit func(backup.Row) error) error {
	if t.key == 0 {
		return t.dumpByNumber(ctx, r, emit)
	}
	key, after := t.names(t.key), []any(nil)
	for {
		query := "SELECT " + t.names(len(t.columns)) + " FROM " + t.name
		if after != nil {
			query += " WHERE (" + key + ") > (" + marks(t.key) + ")"
		}
		last, n, err := t.read(ctx, r, emit, query+" ORDER BY "+key+" LIMIT ?", append(after, page)...)
		if err != nil || n < page {
			return err
		}
		after = last[:t.key:t.key]
	}
}

// dumpByNumber reads a table whose rows have a number that means nothing
// anywhere else.
func (t table) dumpByNumber(ctx context.Context, r Reader, emit func(backup.Row) error) error {
	var end int64
	if err := r.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM "+t.name).Scan(&end); err != nil {
		return err
	}
	for after := int64(0); after < end; after += page {
		query := "SELECT " + t.names(len(t.columns)) + " FROM " + t.name + " WHERE seq > ? AND seq <= ? ORDER BY seq"
		if _, _, err := t.read(ctx, r, emit, query, after, after+page); err != nil {
			return err
		}
	}
	return nil
}

func (t table) read(ctx context.Context, r Reader, emit func(backup.Row) error, query string, args ...any) (last []any, n int, err error) {
	found, err := r.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = found.Close() }()
	for ; found.Next(); n++ {
		row := backup.Row{Table: t.name}
		if last, err = t.scan(found, &row); err != nil {
			return nil, n, err
		}
		if err := emit(row); err != nil {
			return nil, n, err
		}
	}
	return last, n, found.Err()
}

// scan reads a row, also as the values of the next query.
func (t table) scan(from *sql.Rows, row *backup.Row) (values []any, err error) {
	dests := make([]any, len(t.columns))
	for i, c := range t.columns {
		dests[i] = c.dest()
	}
	if err := from.Scan(dests...); err != nil {
		return nil, err
	}
	for _, d := range dests {
		value := deref(d)
		values = append(values, value)
		row.Values = append(row.Values, backup.Of(value))
	}
	return values, nil
}

func deref(d any) any {
	switch v := d.(type) {
	case *string:
		return *v
	case *[]byte:
		return append([]byte{}, *v...)
	case *bool:
		return *v
	default:
		return *d.(*int64)
	}
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Fill implements backup.Store, in one transaction.
func (a *Accounts) Fill(ctx context.Context, now int64, next func() (backup.Row, bool, error)) error {
	return a.db.Whole(ctx, func(ctx context.Context, tx Tx) error {
		if err := empty(ctx, tx); err != nil {
			return err
		}
		for {
			row, more, err := next()
			if err != nil {
				return err
			}
			if !more {
				return restored(ctx, tx, now)
			}
			if err := insert(ctx, tx, row); err != nil {
				return err
			}
		}
	})
}

// empty refuses a database in which somebody is.
func empty(ctx context.Context, tx Tx) error {
	for _, name := range []string{"accounts", "people"} {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+name+" LIMIT 1) AS any_row").Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return backup.ErrNotEmpty
		}
	}
	return nil
}

// ownID is the name of what tells a database from all others.
const ownID = "id"

func insert(ctx context.Context, tx Tx, row backup.Row) error {
	for _, t := range tables {
		if t.name != row.Table {
			continue
		}
		if len(row.Values) != len(t.columns) {
			return fmt.Errorf("%s: %w", t.name, backup.ErrOtherVersion)
		}
		if name := row.Values[0].Any(); t.name == "meta" && (name == ownID || name == restoredAt) {
			return nil
		}
		values := make([]any, len(row.Values))
		for i, v := range row.Values {
			values[i] = v.Any()
		}
		query := "INSERT INTO " + t.name + " (" + t.names(len(t.columns)) + ") VALUES (" + marks(len(values)) + ")"
		if t.kept {
			query += " ON CONFLICT DO NOTHING"
		}
		if _, err := tx.ExecContext(ctx, query, values...); err != nil {
			return fmt.Errorf("%s: %w (stop every gateway that uses the database)", t.name, err)
		}
		return nil
	}
	return fmt.Errorf("%s: %w", row.Table, backup.ErrOtherVersion)
}

// restored makes worthless what may have been used, taken back or ended since
// the backup was made: nobody can know. Sessions of whom the backup does not
// know end as well.
func restored(ctx context.Context, tx Tx, now int64) error {
	for _, s := range []struct {
		query string
		args  []any
	}{
		{"UPDATE accounts SET valid_from = ? WHERE valid_from < ?", []any{now, now}},
		{setMeta, []any{restoredAt, sortable(now)}},
		{"UPDATE credentials SET last_step = ? WHERE factor = 'totp' AND last_step < ?", []any{now / totpStep, now / totpStep}},
		{"UPDATE codes SET spent_at = ? WHERE spent_at = 0", []any{now}},
		{"UPDATE browsers SET passed_at = 0, trusted_until = 0", nil},
		{"UPDATE people SET link_expires_at = 0", nil},
	} {
		if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// restoredAt is the name of the instant before which all sessions began that
// are over, whosever they are.
const restoredAt = "restored"

// totpStep is a time step of TOTP in nanoseconds (RFC 6238, section 4.1).
const totpStep = int64(30 * time.Second)

// sortable is an instant as bytes that are ordered as instants are.
func sortable(nanos int64) []byte { return fmt.Appendf(nil, "%020d", nanos) }
