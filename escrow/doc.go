// Package escrow captures a console's answer instead of sending it, holds it
// sealed until the challenge is passed, and releases it whole.
//
// An answer is sealed with a key derived from the token of the browser's
// session cookie, which no store knows, and bound to the challenge, site and
// subject. It is taken once, in one atomic step.
package escrow
