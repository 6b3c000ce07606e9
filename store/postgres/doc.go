// Package postgres keeps accounts, budgets and the audit trail in a PostgreSQL
// database that all nodes share. The queries are those of package accountsql;
// here is what PostgreSQL needs besides: connections, the schema, and what its
// faults mean.
//
// A fault is an error within two seconds, never an answer. A step that failed
// before its commit was sent is tried again on another connection, since it is
// certain that nothing happened; after that, what happened is unknown. A
// connection that is closed, that belongs to a server which does not take
// writes, or that leads to another database than at first, is thrown away, so
// that the store recovers by itself after a restart or a failover.
//
// Several hosts are tried in order, and only one that takes writes is used,
// whatever target_session_attrs says: a standby may be behind, and what was
// spent on the primary would be good there once more. A pooler in between has
// to keep sessions together (PgBouncer: pool_mode session).
package postgres
