//go:build e2e

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/accountsql"
)

// cutter is a network that breaks at a word of the client's: the server gets it, and its answer is lost.
type cutter struct {
	net.Listener
	word atomic.Pointer[string]
	cuts atomic.Int64
}

func newCutter(t *testing.T, server *e2e.Postgres) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cutter{Listener: l}
	c.at("")
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", server.Port))
			if err != nil {
				client.Close()
				continue
			}
			go c.forward(client, upstream)
			go func() { io.Copy(client, upstream); client.Close() }()
		}
	}()
	return c
}

// at cuts one connection, at the next time that the word is sent.
func (c *cutter) at(word string) { c.word.Store(&word) }

func (c *cutter) forward(client, upstream net.Conn) {
	defer upstream.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		word := c.word.Load()
		if *word != "" && bytes.Contains(buffer[:n], []byte(*word)) && c.word.CompareAndSwap(word, new(string)) {
			c.cuts.Add(1)
			client.Close() // first, so that no answer gets through
			upstream.Write(buffer[:n])
			time.Sleep(100 * time.Millisecond)
			return
		}
		if _, werr := upstream.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (c *cutter) dsn() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=stepgate user=stepgate sslmode=disable", c.Addr().(*net.TCPAddr).Port)
}

// TestLostAnswers: before the commit the step is done again, as if nothing had been; a lost answer to the commit is
// neither yes nor no.
func TestLostAnswers(t *testing.T) {
	c := newCutter(t, e2e.StartPostgres(t))
	a := ready(t, c.dsn())
	spend := func(id string) error { return a.SpendID(t.Context(), id, time.Now().Add(time.Hour)) }
	must(t, spend("prepares the statements"))
	for i, word := range []string{"begin isolation", "spends this"} {
		c.at(word)
		must(t, spend(fmt.Sprint("spends this ", i)))
	}
	c.at("commit\x00")
	err := spend("unknown")
	if err == nil || errors.Is(err, accounts.ErrSpent) {
		t.Errorf("a lost commit says %v", err)
	}
	if err := spend("unknown"); !errors.Is(err, accounts.ErrSpent) {
		t.Errorf("the server had committed, and says %v", err)
	}
	if got := c.cuts.Load(); got != 3 {
		t.Errorf("%d cuts", got)
	}
}

// TestDeadServersFirst: hosts that swallow everything cost time, and no answer.
func TestDeadServersFirst(t *testing.T) {
	server := e2e.StartPostgres(t)
	hosts, ports := "", ""
	for range 2 {
		hole, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and nobody reads
		must(t, err)
		defer hole.Close()
		hosts, ports = hosts+"127.0.0.1,", ports+fmt.Sprint(hole.Addr().(*net.TCPAddr).Port, ",")
	}
	a := ready(t, fmt.Sprintf("host=%s127.0.0.1 port=%s%d dbname=stepgate user=stepgate", hosts, ports, server.Port))
	began := time.Now()
	must(t, a.SpendID(t.Context(), "c", time.Now()))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestDeadlock: the server ends it, and who lost is done again.
func TestDeadlock(t *testing.T) {
	server := e2e.StartPostgres(t, "deadlock_timeout=100ms")
	a := ready(t, server.DSN())
	var together sync.WaitGroup
	together.Add(2)
	var once [2]sync.Once
	var all sync.WaitGroup
	errs := make([]error, 2)
	for i, keys := range [2][2]string{{"x", "y"}, {"y", "x"}} {
		all.Go(func() {
			d := database{a}
			errs[i] = d.Write(t.Context(), func(ctx context.Context, tx accountsql.Tx) error {
				if err := d.Lock(ctx, tx, keys[0]); err != nil {
					return err
				}
				once[i].Do(func() { together.Done(); together.Wait() })
				return d.Lock(ctx, tx, keys[1])
			})
		})
	}
	all.Wait()
	must(t, errors.Join(errs...))
}

// TestHeldTooLong: somebody else's lock is a denial within two seconds that names the reason.
func TestHeldTooLong(t *testing.T) {
	server := e2e.StartPostgres(t)
	a, b := ready(t, server.DSN()), ready(t, server.DSN())
	tx, err := a.db.BeginTx(t.Context(), isolation)
	must(t, err)
	must(t, database{a}.Lock(t.Context(), numberedTx{numbered{tx}, tx}, "k"))
	began := time.Now()
	_, err = b.Budgets().Charge(t.Context(), "k", three, time.Now())
	wantText(t, err, "no answer in time")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	must(t, tx.Rollback())
	_, err = b.Budgets().Charge(t.Context(), "k", three, time.Now())
	must(t, err)
}

// TestCanceledInTheMiddle: callers give up at any moment; each operation happened or did not, and the store works on.
func TestCanceledInTheMiddle(t *testing.T) {
	a := ready(t, e2e.StartPostgres(t).DSN())
	bound := make([]bool, 400)
	var all sync.WaitGroup
	for i := range bound {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200_000))*time.Microsecond)
			defer cancel()
			err := a.BindFirst(ctx, accounts.Credential{ID: fmt.Sprint("k", i), Subject: person(fmt.Sprint(i)), Secret: []byte{1}})
			bound[i] = err == nil
			if errors.Is(err, accounts.ErrAlreadyBound) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i, confirmed := range bound {
		got, err := a.Account(t.Context(), person(fmt.Sprint(i)))
		must(t, err)
		if confirmed && got.State != identity.Bound || (got.State == identity.Bound) != (len(got.Credentials) == 1) {
			t.Errorf("%d: confirmed %v, got %+v", i, confirmed, got)
		}
	}
}

// TestSweep: what expired goes after a while, in more than one batch; nothing else does, and one node does it.
func TestSweep(t *testing.T) {
	server := e2e.StartPostgres(t)
	a, ctx, now := ready(t, server.DSN()), t.Context(), time.Now()
	old := now.Add(-sweepAfter)
	server.SQL(fmt.Sprintf("INSERT INTO spent SELECT n::text::bytea, %d FROM generate_series(1, %d) n", old.UnixNano(), sweepBatch+10))
	must(t, a.SpendID(ctx, "young", old.Add(time.Minute)))
	must(t, a.KnowBrowser(ctx, alice, accounts.Place{Mark: []byte{1}}, old.Add(-sessions.BrowserLife)))
	must(t, a.KnowBrowser(ctx, alice, accounts.Place{Mark: []byte{2}}, old.Add(time.Minute-sessions.BrowserLife)))
	other := ready(t, server.DSN())
	must(t, database{other}.Write(ctx, func(ctx context.Context, tx accountsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", sweepLock); err != nil {
			return err
		}
		return a.expired(t.Context(), now)
	}))
	if got := server.SQL("SELECT count(*) FROM spent"); got != fmt.Sprint(sweepBatch+11) {
		t.Errorf("while another node sweeps, %s rows are left", got)
	}
	must(t, a.expired(ctx, now))
	if got := server.SQL("SELECT digest FROM browsers"); got != `\x02` {
		t.Errorf("the browsers left are %s", got)
	}
	must(t, a.expired(ctx, now.Add(time.Hour))) // a clock that is ahead of the server's
	if got := server.SQL("SELECT id FROM spent"); got != `\x796f756e67` {
		t.Errorf("what is left is %s", got)
	}
}

// TestSweepLeavesWhatIsCharged: a budget that is refilled when the sweep looks, and charged before it deletes, stays.
func TestSweepLeavesWhatIsCharged(t *testing.T) {
	server := e2e.StartPostgres(t)
	a, b, now := ready(t, server.DSN()), ready(t, server.DSN()), time.Now()
	_, err := a.Budgets().Charge(t.Context(), "k", three, now.Add(-48*time.Hour))
	must(t, err)
	swept := make(chan error)
	must(t, database{b}.Write(t.Context(), func(ctx context.Context, tx accountsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE budgets SET tat = ?", now.Add(time.Hour).UnixNano()); err != nil {
			return err
		}
		go func() { swept <- a.expired(t.Context(), now) }()
		time.Sleep(300 * time.Millisecond)
		return nil
	}))
	must(t, <-swept)
	if got := server.SQL("SELECT count(*) FROM budgets"); got != "1" {
		t.Errorf("%s budgets are left", got)
	}
}
