// Package admin is what administrators do: the service, the interface over a
// Unix socket that it is reached by, and the client of that interface.
//
// Service has one method for each thing to do, takes who does it and writes
// both into the audit trail. The handler and the client translate to and from
// HTTP and JSON and decide nothing. Server listens on a socket that only its
// own user and root can open, never on a port: whoever may connect may do
// everything.
package admin
