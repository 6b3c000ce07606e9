package admin_test

import (
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/identity"
)

// folder is one whose path a socket can have, whatever the test is called.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sg")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func serve(t *testing.T, path string) *admin.Server {
	t.Helper()
	s, err := admin.Serve(path)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// asked is a client as the tests use it.
type asked struct{ *admin.Client }

func (c asked) users(t *testing.T) ([]admin.User, error) {
	t.Helper()
	var page admin.Page
	err := c.Look(t.Context(), "/v1/users", url.Values{"realm": {"staff"}}, &page)
	return page.Users, err
}

func (c asked) make(t *testing.T, path, name string) (i admin.Invitation, err error) {
	t.Helper()
	err = c.Change(t.Context(), path, at("staff", name), &i)
	return i, err
}

func on(socket string) asked { return asked{admin.NewClient(socket)} }

func TestPasswordUsersOverTheSocket(t *testing.T) {
	path := filepath.Join(folder(t), "deep", "admin.sock")
	s, o := serve(t, path), newOffice(t)
	client := on(path)
	_, err := client.users(t)
	mustFail(t, err, "not there yet")
	stop := s.Use(admin.Use{Service: func() *admin.Service { return o.Service }})
	i, err := client.make(t, "/v1/users", "ali/ce ü")
	must(t, err)
	if o.owner(t, i) != "ali/ce ü" {
		t.Errorf("%+v", i)
	}
	_, err = client.make(t, "/v1/users", "ali/ce ü")
	mustFail(t, err, "there is a person of this name")
	_, err = client.make(t, "/v1/users/link", "ali/ce ü")
	mustFail(t, err, "try again after 2026-12-01T09:01:00Z")
	users, err := client.users(t)
	must(t, err)
	if len(users) != 1 || users[0].Name != "ali/ce ü" {
		t.Errorf("%+v", users)
	}
	me, err := user.Current()
	must(t, err)
	trail, err := o.store.Audit().Find(t.Context(), identity.Subject{}, "", 10)
	must(t, err)
	if want := me.Username + " (uid " + me.Uid + ")"; !strings.HasPrefix(trail[0].Reasons[0].Detail, want) {
		t.Errorf("the trail names %q, not %q", trail[0].Reasons[0].Detail, want)
	}
	stop()
	_, err = client.users(t)
	mustFail(t, err, "not there yet")
}

func mustFail(t *testing.T, err error, saying string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), saying) {
		t.Errorf("%v does not say %q", err, saying)
	}
}

// Across a reload the newest service that is there answers.
func TestPasswordSocketAcrossReloads(t *testing.T) {
	path := filepath.Join(folder(t), "a.sock")
	s, before, after := serve(t, path), newOffice(t), newOffice(t)
	client := on(path)
	seen := func(what string, want int) {
		t.Helper()
		if users, err := client.users(t); err != nil || len(users) != want {
			t.Errorf("%s: %v, %v", what, users, err)
		}
	}
	_, err := before.create(t, "staff", "alice")
	must(t, err)
	ready := false
	stopBefore := s.Use(admin.Use{Service: func() *admin.Service { return before.Service }})
	stopAfter := s.Use(admin.Use{Service: func() *admin.Service {
		if ready {
			return after.Service
		}
		return nil
	}})
	seen("the new one's stores are not there", 1)
	ready = true
	seen("they are", 0)
	stopAfter()
	seen("the reload failed", 1)
	stopBefore()
}

func TestPasswordSocketIsPrivate(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "admin.sock")
	serve(t, path)
	file, err := os.Lstat(path)
	must(t, err)
	if file.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("its mode is %v", file.Mode())
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPasswordSocketPaths(t *testing.T) {
	dir := folder(t)
	for path, says := range map[string]string{
		"localhost:2020": "never listens on a port", ":2020": "absolute path", "127.0.0.1:0": "absolute path", "admin.sock": "absolute path",
		"unix//run/x": "absolute path", "": "absolute path", filepath.Join(dir, strings.Repeat("x", 100)): "longer than",
		filepath.Join(dir, strings.Repeat("x", 80), "s"): "longer than",
	} {
		s, err := admin.Serve(path)
		mustFail(t, err, says)
		if s != nil {
			must(t, s.Close())
		}
	}
	file := filepath.Join(dir, "notes.txt")
	must(t, os.WriteFile(file, []byte("keep me"), 0o600))
	_, err := admin.Serve(file)
	mustFail(t, err, "is no socket")
	if kept, _ := os.ReadFile(file); string(kept) != "keep me" {
		t.Error("the file was replaced")
	}
}

func TestPasswordSocketOfADeadProcess(t *testing.T) {
	path := filepath.Join(folder(t), "admin.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(t, err)
	dead.SetUnlinkOnClose(false)
	must(t, dead.Close())
	s := serve(t, path)
	_, err = on(path).users(t)
	mustFail(t, err, "not there yet")
	_, err = admin.Serve(path)
	mustFail(t, err, "in use by another process")
	must(t, s.Close())
	_, err = os.Lstat(path)
	if err == nil {
		t.Error("the file is left behind")
	}
	_, err = on(path).users(t)
	mustFail(t, err, "the gateway has to run")
}

// A socket that another process has put in its place stays.
func TestPasswordSocketOfTheNextProcess(t *testing.T) {
	path := filepath.Join(folder(t), "admin.sock")
	s := serve(t, path)
	must(t, os.Remove(path))
	serve(t, path)
	must(t, s.Close())
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// Where everybody can write, anybody could stand in for the gateway.
func TestPasswordSocketInAFolderOfEverybodys(t *testing.T) {
	dir := folder(t)
	for _, mode := range []fs.FileMode{0o777, 0o777 | fs.ModeSticky, 0o703} {
		must(t, os.Chmod(dir, mode))
		s, err := admin.Serve(filepath.Join(dir, "admin.sock"))
		mustFail(t, err, "everybody can write to "+dir)
		if s != nil {
			must(t, s.Close())
		}
	}
	must(t, os.Chmod(dir, 0o770)) // whom the operator lets in
	serve(t, filepath.Join(dir, "admin.sock"))
}
