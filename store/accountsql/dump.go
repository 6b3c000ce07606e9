package accountsql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/stepgate/stepgate/backup"
	"github.com/stepgate/stepgate/store/rows"
)

var _ backup.Store = (*Accounts)(nil)

// table is one that a backup holds: all but tickets, which are void in another
// database. The first columns, as many
// as key says, are its primary key.
type table struct {
	name    string
	key     int
	columns []column
}

type column struct {
	name string
	kind byte // 't' text, 'b' bytes, 'i' integer, 'f' flag
}

// tables are in the order in which foreign keys let them be filled. A column
// that is missing here is found by a test.
var tables = []table{
	{"meta", 1, columns("name t value b")}, // the check values of the master keys
	{"accounts", 2, columns("realm t name b state t valid_from i locked_at i rebind_from i preferred t")},
	{"credentials", 1, columns("id t realm t name b factor t label b secret b last_step i bound_at i used_at i " +
		"strength t bound_address t bound_browser b bound_mark b noticed f remove_at i")},
	{"codes", 2, columns("credential t digest b spent_at i")},
	{"contacts", 1, columns("id t realm t name b kind t address b digest b language t bound_at i")},
	{"browsers", 3, columns("realm t name b digest b seen_at i passed_at i first_at i address t browser b trusted_until i")},
	{"people", 2, columns("realm t name b created_at i password b set_at i link_expires_at i")},
	{"requests", 1, columns("reference t realm t name b site t at i address t browser b mark b checked t decision t decided_by b decided_at i why b")},
	{"spent", 1, columns("id b expires_at i")},
	{"budgets", 2, columns("budget b period i tat i")},
	{"audit", 0, columns("at i event t site t realm t name b reasons t reference t address t browser b")},
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
		if t.name == "meta" && row.Values[0].Any() == ownID {
			return nil
		}
		if len(row.Values) != len(t.columns) {
			return fmt.Errorf("%s: %w", t.name, backup.ErrOtherVersion)
		}
		values := make([]any, len(row.Values))
		for i, v := range row.Values {
			values[i] = v.Any()
		}
		// What the new database noted already (a spent id, a budget) stays.
		_, err := tx.ExecContext(ctx, "INSERT INTO "+t.name+" ("+t.names(len(t.columns))+") VALUES ("+marks(len(values))+") ON CONFLICT DO NOTHING", values...)
		return err
	}
	return fmt.Errorf("%s: %w", row.Table, backup.ErrOtherVersion)
}

// restored makes worthless what may have been used, taken back or ended since
// the backup was made: nobody can know.
func restored(ctx context.Context, tx Tx, now int64) error {
	for _, statement := range []string{
		"UPDATE accounts SET valid_from = ? WHERE valid_from < ?",
		"UPDATE codes SET spent_at = ? WHERE spent_at = 0 AND spent_at < ?",
		"UPDATE browsers SET passed_at = 0, trusted_until = 0 WHERE seen_at < ? OR seen_at >= ?",
	} {
		if _, err := rows.Affected(tx.ExecContext(ctx, statement, now, now)); err != nil {
			return err
		}
	}
	return nil
}
