// Package accountsql keeps accounts, budgets and the audit trail in an SQL
// database. It is written once, for SQLite and PostgreSQL: its queries use
// standard SQL and what both have beyond it (ON CONFLICT, RETURNING, LIMIT);
// what differs is Database, and the dialects' migrations.
//
// Its steps are atomic under READ COMMITTED. One statement decides most, on
// rows that it locks, and the number of rows that it changed is the answer.
// What depends on several rows of a subject (is this the last factor?) locks
// its account before; who counts a contact's subjects locks its digest.
// Budgets are read, computed and written, and lock their key before.
package accountsql
