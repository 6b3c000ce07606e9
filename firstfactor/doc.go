// Package firstfactor owns the proofs of who a person is that come before
// Stepgate's own challenge. Each way of it is a source, and a struct with the
// configuration of it:
//
//   - Console: the console's own login, watched from outside. A login by the
//     issuer that the console asks itself (Federated) is one of these.
//   - OIDC: an OpenID provider, at which an Issuer signs people in.
//   - Password: a sign-in page of Stepgate's own, for which Passwords proves
//     people.
//   - JWT, Header, CaddyUser: what each request carries, a signed token, a
//     trusted proxy's header, or Caddy's own user. Each is an Asserter, which
//     is asked about every request.
//
// Watching a console means: recognize the request that is a login (Attempt),
// judge the console's answer as success, failure or unclear (Judge), and learn
// the person's name by the console's own word (Subject). What identifies a
// person afterwards, the console's session cookies, is sealed on the way out
// and opened on the way in (cookies.go); what a script has to hold itself is
// bound by a digest (tokens.go).
//
// Asking an issuer means: keep what it publishes, its description and its keys
// (remote.go, issuerkeys.go), check what it signed, and read its claims by
// their exact names (claims.go).
//
// An Identity can only be made here, by the verifier of its source.
package firstfactor
