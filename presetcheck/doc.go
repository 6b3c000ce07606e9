// Package presetcheck holds a preset against a running console: it signs in
// once badly and once well, judges both answers with the gateway's own code,
// and says in plain words what it saw, what is wrong and what stays unclear.
// It changes nothing in the console, signs out at the end and prints no secret.
package presetcheck
