// Package caddymodule is all that knows Caddy: the app `stepgate` with what
// sites share, the handler `http.handlers.stepgate` that guards one site, the
// Caddyfile's words for both, and the command `stepgate`.
//
// What outlives a reload (open files, live sessions) is in usage pools; what
// a configuration says is in the App and the Handler and nowhere else. While
// provisioning nothing is opened, locked or migrated: `caddy validate` must
// not touch a database. Start does that.
package caddymodule
