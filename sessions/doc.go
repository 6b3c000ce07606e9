// Package sessions owns the way from a cookie to a session record and back:
// tokens, levels, expiry, the near cache, and revocation.
//
// A cookie carries the family and, above level none, a 256-bit token; it is
// authenticated by gorilla/securecookie before the store is asked, so that a
// forged one costs no look at the store. The store knows the token's SHA-256
// only. A live session is found in the near cache by a hash of the cookie as
// it was sent: no decoding, no store, no disk.
//
// A level changes only by Begin (to first_factor), Raise (to verified) and
// End or Drop (to none); each gives the browser a new cookie value.
package sessions
