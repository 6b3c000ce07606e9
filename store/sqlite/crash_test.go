package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/sessions"
	"github.com/stepgate/stepgate/store/sqlite"
)

// childEnv makes the test binary a second process that works in the directory
// it names; names of its own come from the round.
const (
	childEnv = "STEPGATE_TEST_CHILD"
	roundEnv = "STEPGATE_TEST_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Println("stopped:", work(dir, os.Getenv(roundEnv)))
		return
	}
	os.Exit(m.Run())
}

// stores are both files, as a process has them open.
type stores struct {
	*sqlite.Accounts
	visits *sqlite.Sessions
}

func openBoth(dir string) (stores, error) {
	a, err := sqlite.OpenAccounts(filepath.Join(dir, "accounts.db"))
	if err != nil {
		return stores{}, err
	}
	s, err := sqlite.OpenSessions(filepath.Join(dir, "sessions.db"))
	if err != nil {
		return stores{}, errors.Join(err, a.Close())
	}
	return stores{a, s}, nil
}

func (s stores) Close() error { return errors.Join(s.Accounts.Close(), s.visits.Close()) }

// An operation does something of a name, and later proves that it was done.
type operation struct {
	name string
	do   func(ctx context.Context, s stores, name string) error
	done func(ctx context.Context, s stores, name string) error
}

var (
	soon   = time.Now().Add(time.Hour)
	budget = []limits.Rate{{Count: 3, Period: 24 * time.Hour}}
)

func person(name string) identity.Subject { return identity.Subject{Realm: "wiki", Name: name} }

var operations = []operation{
	{"bind", func(ctx context.Context, s stores, n string) error {
		return s.BindFirst(ctx, accounts.Credential{ID: n, Subject: person(n), Factor: identity.TOTP, Secret: []byte(n)})
	}, func(ctx context.Context, s stores, n string) error {
		a, err := s.Account(ctx, person(n))
		if err == nil && (a.State != identity.Bound || len(a.Credentials) != 1 || string(a.Credentials[0].Secret) != n) {
			err = fmt.Errorf("account is %+v", a)
		}
		return err
	}},
	{"step", func(ctx context.Context, s stores, n string) error {
		return s.AdvanceStep(ctx, n, 7, true, time.Now())
	}, func(ctx context.Context, s stores, n string) error {
		return want(accounts.ErrSpent, s.AdvanceStep(ctx, n, 7, true, time.Now()))
	}},
	{"spend", func(ctx context.Context, s stores, n string) error {
		return s.SpendID(ctx, n, soon)
	}, func(ctx context.Context, s stores, n string) error {
		return want(accounts.ErrSpent, s.SpendID(ctx, n, soon))
	}},
	{"charge", func(ctx context.Context, s stores, n string) error {
		_, err := s.Budgets().Charge(ctx, n, budget, time.Now())
		return err
	}, func(ctx context.Context, s stores, n string) error {
		b, err := s.Budgets().Peek(ctx, n, budget, time.Now())
		if err == nil && b.Remaining != 2 {
			err = fmt.Errorf("balance is %+v", b)
		}
		return err
	}},
	{"session", func(ctx context.Context, s stores, n string) error {
		return s.visits.Create(ctx, sessions.Record{ID: idOf(n), Subject: person(n), SeenAt: time.Now(), ExpiresAt: soon, Idle: time.Hour})
	}, func(ctx context.Context, s stores, n string) error {
		_, err := s.visits.Find(ctx, idOf(n), time.Now())
		return err
	}},
	{"take", func(ctx context.Context, s stores, n string) error {
		if err := s.visits.Challenges().Create(ctx, challenge.Record{ID: n, ExpiresAt: soon}); err != nil {
			return err
		}
		_, err := s.visits.Challenges().Take(ctx, n, time.Now())
		return err
	}, func(ctx context.Context, s stores, n string) error {
		_, err := s.visits.Challenges().Take(ctx, n, time.Now())
		return want(challenge.ErrNotFound, err)
	}},
	{"release", func(ctx context.Context, s stores, n string) error {
		if err := s.visits.Escrows().Put(ctx, n, []byte(n), soon); err != nil {
			return err
		}
		_, err := s.visits.Escrows().Take(ctx, n, time.Now())
		return err
	}, func(ctx context.Context, s stores, n string) error {
		_, err := s.visits.Escrows().Take(ctx, n, time.Now())
		return want(escrow.ErrNotFound, err)
	}},
}

func idOf(name string) (id sessions.ID) {
	copy(id[:], name)
	return id
}

func want(want, got error) error {
	if errors.Is(got, want) {
		return nil
	}
	return fmt.Errorf("got %v, want %v", got, want)
}

// work does all operations again and again and says of each that it is done,
// until it is killed, or for so long that the test notices.
func work(dir, round string) error {
	s, err := openBoth(dir)
	if err != nil {
		return err
	}
	for i := range 20_000 {
		name := fmt.Sprintf("%s-%d", round, i)
		for _, op := range operations {
			if err := op.do(context.Background(), s, name); err != nil {
				return fmt.Errorf("%s: %w", op.name, err)
			}
			fmt.Println(op.name, name)
		}
	}
	return errors.New("nobody killed it")
}

// TestKill kills a working process at random moments. Whatever it had
// confirmed holds afterwards, at once and at the end.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var confirmed [][2]string
	for round := range 20 {
		lines := killed(t, dir, fmt.Sprint("r", round))
		verify(t, dir, lines)
		confirmed = append(confirmed, lines...)
	}
	verify(t, dir, confirmed)
	if len(confirmed) < 20*len(operations) {
		t.Errorf("only %d operations were confirmed: the children hardly worked", len(confirmed))
	}
	t.Logf("%d operations were confirmed before a kill", len(confirmed))
}

// killed runs one child to its violent end and returns what it had confirmed.
func killed(t *testing.T, dir, round string) (lines [][2]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, roundEnv+"="+round)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	read := bufio.NewReader(out)
	for {
		line, err := read.ReadString('\n')
		if err == io.EOF {
			break // a line that was cut off confirmed nothing
		}
		must(t, err)
		if len(lines) == 0 {
			time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
		var said [2]string
		if _, err := fmt.Sscan(line, &said[0], &said[1]); err != nil || said[0] == "stopped:" {
			t.Fatalf("the child said %q", line)
		}
		lines = append(lines, said)
	}
	_ = cmd.Wait() // it was killed
	if cmd.ProcessState.Success() {
		t.Fatal("the child ended by itself")
	}
	return lines
}

// verify opens both files, as the next start would, and checks each operation.
func verify(t *testing.T, dir string, confirmed [][2]string) {
	t.Helper()
	s, err := openBoth(dir)
	must(t, err)
	defer func() { closed(t, s.Close()) }()
	for _, said := range confirmed {
		i := slices.IndexFunc(operations, func(op operation) bool { return op.name == said[0] })
		if i < 0 {
			t.Fatalf("the child said %q", said)
		}
		if err := operations[i].done(t.Context(), s, said[1]); err != nil {
			t.Errorf("%s %s was confirmed and is lost: %v", said[0], said[1], err)
		}
	}
}

// TestSecondProcess: another process is told that the file is in use.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.db")
	openAccounts(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	said, err := cmd.Output()
	must(t, err)
	wantError(t, errors.New(string(said)), path, "in use by another process")
}
