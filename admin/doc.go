// Package admin is what administrators do: the service, the interface that it
// is reached by, over a Unix socket or over TLS, and the client of that
// interface.
//
// Service has one method for each thing to do, takes who does it and why, and
// writes both into the audit trail before it is done. The handler and the
// client translate to and from HTTP and JSON and decide nothing. Server listens
// on a socket that only its own user and root can open, or, where an operator
// asks for it, on a port that only who has a certificate of an administrator
// gets an answer from: whoever may connect may do everything.
package admin
