//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

func TestHarnessPostgres(t *testing.T) {
	t.Parallel()
	p := StartPostgres(t, "max_connections=20")
	if got := p.SQL("SHOW max_connections"); got != "20" {
		t.Errorf("max_connections is %s", got)
	}
	p.SQL("CREATE TABLE kept AS SELECT 7 AS n")
	p.Kill()
	p.Restart()
	if got := p.SQL("SELECT n, n FROM kept"); got != "7|7" {
		t.Errorf("after a crash there is %q", got)
	}
	p.Stop()
	if !strings.Contains(p.Log(), "database system is shut down") {
		t.Error("it was not stopped in good order")
	}
	p.Restart()
	p.Pause()
	p.Resume()
	p.SQL("SELECT 1")
}

func TestHarnessPostgresPair(t *testing.T) {
	t.Parallel()
	p := StartPostgresPair(t)
	p.Primary.SQL("CREATE TABLE kept AS SELECT 7 AS n")
	if got := p.Standby.SQL("SELECT pg_is_in_recovery()"); got != "t" {
		t.Errorf("the standby is none: %s", got)
	}
	p.Primary.Kill()
	p.Promote()
	p.Standby.SQL("INSERT INTO kept VALUES (8)")
	if got := p.Standby.SQL("SELECT sum(n) FROM kept"); got != "15" {
		t.Errorf("after the failover there is %q", got)
	}
}
