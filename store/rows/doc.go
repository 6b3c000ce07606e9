// Package rows is how Go's values become columns and rows of SQL tables and
// come back, the same in every store that speaks SQL.
package rows
