//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// PostgresPair is a primary, and a standby to which every commit is copied before it is confirmed.
type PostgresPair struct{ Primary, Standby *Postgres }

// StartPostgresPair runs both.
func StartPostgresPair(t testing.TB) *PostgresPair {
	t.Helper()
	primary, standby := StartPostgres(t), newPostgres(t)
	standby.run(postgresPrograms+"pg_basebackup", append(primary.local(), "-D", standby.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync")...)
	standby.Restart()
	primary.SQL("ALTER SYSTEM SET synchronous_standby_names = '*'")
	primary.SQL("SELECT pg_reload_conf()")
	eventually(t, "the standby is synchronous", 20*time.Second, func() bool {
		return primary.SQL("SELECT sync_state FROM pg_stat_replication") == "sync"
	})
	return &PostgresPair{primary, standby}
}

// DSN names both hosts, the first primary first.
func (p *PostgresPair) DSN() string {
	return fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d dbname=stepgate user=stepgate", p.Primary.Port, p.Standby.Port)
}

// Promote makes the standby take writes. The old primary has to be killed before: there must not be two.
func (p *PostgresPair) Promote() {
	p.Standby.t.Helper()
	p.Standby.SQL("SELECT pg_promote()")
}
