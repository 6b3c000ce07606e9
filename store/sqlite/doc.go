// Package sqlite keeps sessions and accounts in two embedded SQLite files, for
// an installation of one node. It is the default: nothing needs to be set up.
//
// The files differ in what their loss would mean. Sessions, challenges and
// escrows may be lost with the machine (people sign in again), so a power cut
// may cost the last moments (synchronous NORMAL). Accounts, budgets, spent ids
// and the audit trail may not, so each write is on the disk before it is
// confirmed (synchronous FULL). A killed process loses nothing of either.
//
// Each file has one writing connection, since SQLite lets one write at a time
// and queues fairer here than there, a few reading ones, and one process: a
// second one that opens it is told so.
//
// The queries of accounts are in package accountsql, which PostgreSQL shares.
package sqlite
