//go:build e2e

package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/e2e"
)

// TestDownAtStart: nothing answers, each call fails at once, and one that tries gets through soon after the server came.
func TestDownAtStart(t *testing.T) {
	server := e2e.StartPostgres(t)
	server.Stop()
	a := opened(t, server.DSN())
	wantText(t, a.Ready(soon(t)), "127.0.0.1:", "check that the server runs")
	wantText(t, a.SpendID(t.Context(), "c", time.Now()), "not ready")
	server.Restart()
	must(t, a.Ready(soon(t)))
	must(t, a.SpendID(t.Context(), "c", time.Now()))
	must(t, a.Ready(soon(t)))
}

// TestKill kills the server in the middle of load, again and again.
func TestKill(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := ready(t, server.DSN())
	l := startLoad(t, a)
	for range 5 {
		time.Sleep(time.Duration(200+rand.IntN(300)) * time.Millisecond)
		server.Kill()
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		server.Restart()
		t.Logf("it works again after %v", l.works())
	}
	l.verify(a)
}

// TestRestart in good order: the connections that it cut are no fault of anybody's.
func TestRestart(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := ready(t, server.DSN())
	for i := range 3 {
		var crowd sync.WaitGroup
		for j := range 4 * poolSize { // so that the pool is full
			crowd.Go(func() {
				if err := a.SpendID(t.Context(), fmt.Sprint(i, j), time.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		crowd.Wait()
		server.Stop()
		server.Restart()
	}
}

// TestFrozen: the server is there, and answers nobody.
func TestFrozen(t *testing.T) {
	server := e2e.StartPostgres(t, "max_connections=40")
	a := ready(t, server.DSN())
	l := startLoad(t, a)
	for _, freeze := range []time.Duration{time.Second, 6 * time.Second} {
		l.works()
		time.Sleep(time.Second)
		server.Pause()
		time.Sleep(freeze)
		server.Resume()
		t.Logf("it works again after %v", l.works())
	}
	l.verify(a)
	if strings.Contains(server.Log(), "too many clients") {
		t.Error("connections piled up")
	}
}

// TestFailover: the primary dies in the middle of load, and the standby takes over.
func TestFailover(t *testing.T) {
	pair := e2e.StartPostgresPair(t)
	a, b := ready(t, pair.DSN()), ready(t, pair.DSN())
	l := startLoad(t, a, b)
	l.works()
	time.Sleep(time.Second)
	pair.Primary.Kill()
	time.Sleep(500 * time.Millisecond)
	wantText(t, a.SpendID(t.Context(), "c", time.Now()), "name all hosts in the DSN")
	pair.Promote()
	t.Logf("it works again after %v", l.works())
	time.Sleep(time.Second)
	l.verify(b)
}

// TestStandbyIsNotAsked: it may be behind, and what was spent would be good there once more.
func TestStandbyIsNotAsked(t *testing.T) {
	pair := e2e.StartPostgresPair(t)
	must(t, ready(t, pair.DSN()).SpendID(t.Context(), "c", time.Now()))
	for _, dsn := range []string{pair.Standby.DSN(), pair.Standby.DSN() + " target_session_attrs=any"} {
		wantText(t, opened(t, dsn).Ready(soon(t)), "takes no writes")
	}
}

// TestReadOnly: a server that stops taking writes, as one does whose disk is almost full, and takes them again.
func TestReadOnly(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := ready(t, server.DSN())
	set := func(value string) {
		server.SQL("ALTER SYSTEM SET default_transaction_read_only = " + value)
		server.SQL("SELECT pg_reload_conf()")
		time.Sleep(200 * time.Millisecond)
	}
	must(t, a.SpendID(t.Context(), "before", time.Now()))
	set("on")
	wantText(t, a.SpendID(t.Context(), "during", time.Now()), "takes no writes")
	set("off")
	must(t, a.SpendID(t.Context(), "after", time.Now()))
	if err := a.SpendID(t.Context(), "before", time.Now()); !errors.Is(err, accounts.ErrSpent) {
		t.Errorf("what was spent before says %v", err)
	}
}

// TestDiskFull: no file of the server may grow beyond a bound. What was confirmed stays, and the store goes on as soon as
// there is room.
func TestDiskFull(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := ready(t, server.DSN())
	server.LimitFiles(1<<20 + 4<<10)
	spend := func(i int) error {
		return a.SpendID(t.Context(), fmt.Sprint(i, strings.Repeat("x", 500)), time.Now().Add(time.Hour))
	}
	spent, full := 0, error(nil)
	for ; full == nil && spent < 10_000; spent++ {
		full = spend(spent)
	}
	wantText(t, full, "make room there")
	server.LimitFiles(0)
	must(t, spend(spent))
	for i := range spent - 1 {
		if err := spend(i); !errors.Is(err, accounts.ErrSpent) {
			t.Fatalf("%d of %d, spent before, says %v", i, spent, err)
		}
	}
	must(t, spend(spent-1)) // it was refused
}

// TestWrongAccess: each wrong line in the configuration is told from the others, and none tells the password.
func TestWrongAccess(t *testing.T) {
	server := e2e.StartPostgres(t)
	wrong, err := Open(server.DSN(), "hunter2")
	must(t, err)
	err = wrong.Ready(soon(t))
	wantText(t, err, "the password is wrong")
	if strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("the password is in %v", err)
	}
	for change, remedy := range map[string]string{
		"dbname=none":        "the database is missing",
		"host=none.invalid":  "the name of the host is not known",
		"port=1":             "check that the server runs",
		"search_path=absent": "check search_path",
		"options=-cfoo=1":    "",
	} {
		wantText(t, opened(t, server.DSN()+" "+change).Ready(soon(t)), "store: postgres", remedy)
	}
}

// TestTooManyConnections of others: it says so, and works as soon as there is one.
func TestTooManyConnections(t *testing.T) {
	server := e2e.StartPostgres(t, "max_connections=12") // of which three are the superuser's
	dsn := server.DSN()
	greedy := ready(t, dsn)
	var held []func() error
	for range poolSize {
		c, err := greedy.db.Conn(t.Context())
		must(t, err)
		must(t, c.PingContext(t.Context()))
		held = append(held, c.Close)
	}
	a := opened(t, dsn)
	wantText(t, a.Ready(soon(t)), "raise max_connections")
	for _, free := range held {
		must(t, free())
	}
	must(t, greedy.Close())
	time.Sleep(200 * time.Millisecond)
	must(t, a.Ready(soon(t)))
}

// TestPool: a crowd takes no more connections than the pool has, and they are kept.
func TestPool(t *testing.T) {
	server := e2e.StartPostgres(t)
	a := ready(t, server.DSN())
	most := 0
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	for i := range 64 {
		crowd.Go(func() {
			for j := 0; ctx.Err() == nil; j++ {
				if err := a.SpendID(t.Context(), fmt.Sprint(i, "-", j), time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	const ours = "FROM pg_stat_activity WHERE application_name = 'stepgate'"
	for range 20 {
		var now int
		_, err := fmt.Sscan(server.SQL("SELECT count(*) "+ours), &now)
		must(t, err)
		most = max(most, now)
	}
	stop()
	crowd.Wait()
	if most != poolSize {
		t.Errorf("there were %d connections, want %d", most, poolSize)
	}
	before := server.SQL("SELECT string_agg(pid::text, ',' ORDER BY pid) " + ours)
	if kept := strings.Count(before, ",") + 1; kept != poolSize {
		t.Errorf("%d connections were kept, want %d", kept, poolSize)
	}
	for i := range 500 {
		must(t, a.SpendID(t.Context(), fmt.Sprint("later", i), time.Now()))
	}
	if after := server.SQL("SELECT string_agg(pid::text, ',' ORDER BY pid) " + ours); after != before {
		t.Errorf("connections %s became %s", before, after)
	}
}
