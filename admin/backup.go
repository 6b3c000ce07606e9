package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/audit"
)

// backupPath is where a backup of the accounts is had.
const backupPath = "/v1/backup"

// backupTime bounds a backup: a million people take a minute.
const backupTime = 15 * time.Minute

// sendBackup streams a backup. One that breaks off is cut as a connection is,
// so that nobody takes it for a whole.
func (s *Service) sendBackup(w http.ResponseWriter, r *http.Request, by Caller) {
	if err := s.note(r.Context(), act{by: by, event: audit.BackupMade}); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), backupTime)
	defer cancel()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.Backup(ctx, w); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// Backup writes a backup of the gateway's accounts.
func (c *Client) Backup(ctx context.Context, to io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+backupPath, nil)
	if err != nil {
		return err
	}
	long := c.http
	long.Timeout = backupTime
	res, err := long.Do(r)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
		return errors.Join(refused(res.Status, answer), err)
	}
	_, err = io.Copy(to, res.Body)
	return err
}
