// Package firstfactor owns the proofs of who a person is that come before
// Stepgate's own challenge. Each way of it is a source: the console's own
// login, watched from outside (Console); pages of Stepgate's own, where people
// give a password (Password) or come back from an issuer (OIDC); and what each
// request carries, which an Asserter is asked about every time: a signed token
// (JWT), a trusted proxy's header (Header), Caddy's own user (CaddyUser).
//
// Watching a console means: recognize the request that is a login (Attempt), judge the
// console's answer as success, failure or unclear (Judge), and learn the
// person's name by the console's own word (Subject). What identifies a
// person afterwards, the console's session cookies, is sealed on the way out
// and opened on the way in (cookies.go).
//
// An Identity can only be made here, by the verifier of its source.
package firstfactor
