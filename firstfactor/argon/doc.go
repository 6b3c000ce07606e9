// Package argon hashes passwords with Argon2id (RFC 9106) and bounds how much
// of the machine this takes.
//
// The cost is the one that OWASP's Password Storage Cheat Sheet gives as its
// minimum: 19 MiB, 2 passes, 1 lane, which it holds for as strong as its other
// choices and which occupies one processor at a time. Salt and tag have the
// 128 and 256 bits of RFC 9106, section 4. All of it stands in the encoded
// string (the PHC string format), so that the cost can change: Verify says
// when a hash was made at another one.
package argon
