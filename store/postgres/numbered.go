package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/stepgate/stepgate/store/accountsql"
)

// numbered lets the shared queries name their values with a question mark.
type numbered struct{ accountsql.Reader }

func (n numbered) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return n.Reader.QueryContext(ctx, number(query), args...)
}

func (n numbered) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return n.Reader.QueryRowContext(ctx, number(query), args...)
}

type numberedTx struct {
	numbered
	tx *sql.Tx
}

func (n numberedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return n.tx.ExecContext(ctx, number(query), args...)
}

// number writes $1, $2, … for each question mark. The queries are our own and
// have no other question mark, neither in a literal nor as an operator.
func number(query string) string {
	parts := strings.Split(query, "?")
	var out strings.Builder
	for i, part := range parts {
		if i > 0 {
			out.WriteString("$" + strconv.Itoa(i))
		}
		out.WriteString(part)
	}
	return out.String()
}
