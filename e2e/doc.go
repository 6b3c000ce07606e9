//go:build e2e

// Package e2e runs the gateway as its operators do, as a process of its own, in front of real consoles from Debian's
// packages, and drives it with Chromium and with a raw client. What it needs lies under .cache/ and is brought by
// debian.sh and axe.sh; nothing is installed on the machine, and all traffic stays on loopback.
//
// Nothing here skips: a part that cannot run is a failure that says why.
package e2e
