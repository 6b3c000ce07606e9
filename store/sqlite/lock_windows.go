package sqlite

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes the lock that marks the database as this process's own. The
// system releases it with the process, however that ends.
func lockFile(path string) (io.Closer, error) {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w: the user that runs Stepgate must be able to write there", err)
	}
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(lock.Fd()), how, 0, 1, 0, new(windows.Overlapped)); err != nil {
		_ = lock.Close()
		return nil, inUse(path, err)
	}
	return lock, nil
}
