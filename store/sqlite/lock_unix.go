//go:build unix

package sqlite

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes the lock that marks the database as this process's own. The
// kernel releases it with the process, however that ends; the file stays, for
// removing it could let two processes hold a lock of the same name.
func lockFile(path string) (io.Closer, error) {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w: the user that runs Stepgate must be able to write there", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, inUse(path, err)
	}
	return lock, nil
}
