//go:build e2e

package caddymodule

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/e2e"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/store/postgres"
)

// Two administrators approve at once, on PostgreSQL: one gets a ticket.
func TestSharedAdminApproveOnce(t *testing.T) {
	s := newShared(t)
	s.mustLoad(s.words())
	alice := s.browser()
	alice.enroll("alice")
	reference := s.fileShared("alice")
	ticket := regexp.MustCompile(`(?m)^[2-9A-Z]{4}(-[2-9A-Z]{4}){3}$`)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			out, err := s.users("approve", reference, "--why", "called back")
			if err == nil && ticket.MatchString(out) {
				won.Add(1)
			} else if err == nil || !strings.Contains(err.Error(), "decided before") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d approved it", won.Load())
	}
	alice.mustNotSee()
	mustSay(t, s.mustDo("list"), "alice  reset")
	if n := s.postgres.SQL("SELECT count(*) FROM tickets"); strings.TrimSpace(n) != "1" {
		t.Errorf("there are %s tickets", n)
	}
}

func (s *shared) fileShared(name string) string {
	s.t.Helper()
	store, err := postgres.Open(s.postgres.DSN(), e2e.PostgresPassword)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if err := store.Ready(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	r, err := store.FileRequest(s.t.Context(), accounts.Request{Reference: audit.NewReference(), Subject: identity.Subject{Realm: "demo", Name: name},
		Site: "demo", At: time.Now(), Decision: accounts.RequestOpen})
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Reference
}

// Who is neither root nor the gateway's user cannot open the socket, and is
// refused even where somebody changed its mode.
func TestSharedAdminSocketOfAnotherUser(t *testing.T) {
	g := newGate(t)
	alice := g.browser()
	alice.enroll("alice")
	socket := g.data("admin.sock")
	for dir := filepath.Dir(socket); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := asNobody(t, socket); !errors.Is(err, os.ErrPermission) {
		t.Errorf("nobody could connect: %v", err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	status, err := asNobody(t, socket)
	if err != nil || status != http.StatusForbidden {
		t.Errorf("with another mode nobody gets %d, %v", status, err)
	}
	alice.mustSee("alice")
}

// asNobody asks for alice to be locked out, from a thread of another user.
func asNobody(t *testing.T, socket string) (status int, err error) {
	dial := func(context.Context, string, string) (c net.Conn, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // the thread ends with the goroutine
			if _, _, no := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); no != 0 {
				err = no
				return
			}
			c, err = net.Dial("unix", socket)
		}()
		<-done
		return c, err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	res, err := client.Post("http://stepgate/v1/users/lock", "application/json", strings.NewReader(`{"realm":"demo","name":"alice","why":"x"}`))
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}
