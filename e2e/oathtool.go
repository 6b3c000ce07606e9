//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Oathtool is the code that an authenticator app would show at that time for a key in base 32, computed by a program
// that shares no code with the gateway.
func Oathtool(t testing.TB, key string, at time.Time) string {
	t.Helper()
	now := at.UTC().Format("2006-01-02 15:04:05 UTC")
	out, err := exec.Command("oathtool", "--totp", "--base32", "--now", now, strings.ReplaceAll(key, " ", "")).CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool, which ./test installs: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
