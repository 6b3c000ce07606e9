package rows

import (
	"database/sql"
	"errors"
)

// Collect reads all rows; fields are where a row's columns go.
func Collect[T any](rows *sql.Rows, fields func(*T) []any) (all []T, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one T
		if err := rows.Scan(fields(&one)...); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Affected is how many rows a statement changed.
func Affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// OrNone translates "no rows", and nothing else, into an answer.
func OrNone(err, none error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return none
	}
	return err
}

// Whole keeps what was read halfway from being used.
func Whole[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}
