// Package match reads a request in every way that a console might read it,
// and tells whether a rule matches.
//
// A gateway and the console behind it rarely agree on what "/a;x/..%2fb" is.
// So a rule is never asked about one reading: what opens a door (public,
// bypass) must hold under All readings of the request as it was received and
// as earlier handlers rewrote it; what closes one (protect, login) counts if
// Any reading matches, upper and lower case alike.
package match
