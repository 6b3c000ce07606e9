// Package seal keeps the master keys and what is derived from them: sealed
// values at rest, the keys of console cookies, the keys of our own cookies.
//
// The cryptography is the standard library's: AES-256-GCM with a random
// 96-bit nonce (NIST SP 800-38D, section 8.2.2), HKDF-SHA-256 (RFC 5869) for
// every derived key, HMAC-SHA-256 for keyed digests. Every sealed value names
// the key that sealed it, so that keys rotate in two phases: first all nodes
// can open with the new key, then they seal with it.
package seal
