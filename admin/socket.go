package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// longestPath is what every system's address of a socket holds (sun_path),
// and moving how much longer than its folder's a path is until it is moved.
const (
	longestPath = 103
	moving      = len("/.a") + 10 + len("/s")
)

// CheckSocket finds paths that no socket can have. A port is none: whoever is
// on this machine, and every page in its browsers, could open it.
func CheckSocket(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("admin_socket: %q is not the absolute path of a file, as /run/stepgate/admin.sock; it never listens on a port", path)
	case max(len(path), len(filepath.Dir(path))+moving) > longestPath:
		return fmt.Errorf("admin_socket: %q is longer than the %d bytes that the path of a socket may have; name a shorter one", path, longestPath)
	}
	return nil
}

// socket is a listener whose file only this user can open.
type socket struct {
	*net.UnixListener
	path string
	file fs.FileInfo
}

// listen makes the socket under another name in a folder that nobody else can
// enter, and moves it to its place when its mode is right: at no time can
// others open it. The file of a process that died is replaced; that of one
// that lives, and a file of another kind, is not.
func listen(path string) (*socket, error) {
	if err := CheckSocket(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("admin_socket: %w", err)
	}
	if err := errors.Join(private(filepath.Dir(path)), vacant(path)); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".a")
	if err != nil {
		return nil, fmt.Errorf("admin_socket: %w: the user that runs Stepgate must be able to write there; or name another path", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	s, err := bind(filepath.Join(folder, "s"))
	if err != nil {
		return nil, fmt.Errorf("admin_socket: %w", err)
	}
	if err := os.Rename(filepath.Join(folder, "s"), path); err != nil {
		return nil, errors.Join(fmt.Errorf("admin_socket: %w", err), s.Close())
	}
	s.path = path
	return s, nil
}

func bind(path string) (*socket, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(path, 0o600)
	file, statErr := os.Lstat(path)
	if err := errors.Join(err, statErr); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &socket{UnixListener: l, file: file}, nil
}

// private refuses a folder that everybody can write to, /tmp as well: whoever
// was there first could stand in for the gateway, or keep it from starting.
func private(folder string) error {
	info, err := os.Stat(folder)
	if err == nil && info.Mode().Perm()&0o002 != 0 {
		err = fmt.Errorf("everybody can write to %s: name a path in a folder of the gateway's own, as /run/stepgate/admin.sock", folder)
	}
	if err != nil {
		return fmt.Errorf("admin_socket: %w", err)
	}
	return nil
}

// vacant tells whether the path is free, or a dead process's.
func vacant(path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("admin_socket: %w", err)
	case file.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("admin_socket: %s is there and is no socket: name another path", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return fmt.Errorf("admin_socket: %s is in use by another process: stop it, or give each its own path", path)
	}
	return nil
}

// remove removes the file, unless it is another's by now.
func (s *socket) remove() error {
	file, err := os.Lstat(s.path)
	if err != nil || !os.SameFile(file, s.file) {
		return nil
	}
	return os.Remove(s.path)
}
