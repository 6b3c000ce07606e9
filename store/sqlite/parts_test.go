package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

var bob = identity.Subject{Realm: "wiki", Name: "bob"}

// partsLeft is how many parts lie in the file, of any challenge or none.
func partsLeft(t *testing.T, s *Sessions) (n int) {
	t.Helper()
	if err := s.f.reader.QueryRow("SELECT count(*) FROM challenge_parts").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func running(t *testing.T, s *Sessions, id string, now time.Time) challenge.Record {
	t.Helper()
	r := challenge.Record{ID: id, Subject: bob, CreatedAt: now, ExpiresAt: now.Add(time.Minute), Parts: map[string]challenge.Part{
		"key":  {Name: "key", ID: "p-1", Data: []byte("sealed"), ExpiresAt: now.Add(time.Hour)},
		"sent": {Name: "sent", ID: "p-2", ExpiresAt: now.Add(time.Hour)},
	}}
	if err := s.Challenges().Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPartsGoWithTheirChallenge: a sealed key does not stay in the file.
func TestPartsGoWithTheirChallenge(t *testing.T) {
	s, err := OpenSessions(filepath.Join(t.TempDir(), "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	now := time.Now()
	taken := running(t, s, "c-1", now)
	swept := running(t, s, "c-2", now)
	running(t, s, "c-3", now.Add(time.Hour))
	if _, err := s.Challenges().Take(t.Context(), taken.ID, now); err != nil || partsLeft(t, s) != 4 {
		t.Errorf("taken: %v, %d parts are left", err, partsLeft(t, s))
	}
	if err := s.f.sweep(t.Context(), swept.ExpiresAt.Add(sweepAfter)); err != nil || partsLeft(t, s) != 2 {
		t.Errorf("swept: %v, %d parts are left", err, partsLeft(t, s))
	}
}

// before is a file as it was before challenges had parts.
func before(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	steps, _ := fs.Sub(migrations, "migrations/sessions")
	schema, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
	if err != nil {
		t.Fatal(err)
	}
	_, up := schema.UpTo(context.Background(), 3)
	_, claimed := db.Exec("PRAGMA application_id = 1397161985")
	_, session := db.Exec(`INSERT INTO sessions (id, family, site, source, realm, name, level, amr, began_at, auth_time,
		seen_at, expires_at, idle, challenge, bound, address, browser) VALUES (zeroblob(33), zeroblob(16), 'wiki', 'console',
		'wiki', 'bob', 'verified', '["pwd","otp"]', 1, 1, 1, 9000000000000000000, 9000000000000000000, '', 'null', '', '')`)
	_, running := db.Exec(`INSERT INTO challenges VALUES ('c-1', zeroblob(33), 'wiki', 'bob', 'wiki', 'login', 'R', 1, '/', 0,
		1, 9000000000000000000, 0, 'p-1', x'00', 9000000000000000000)`)
	if err := errors.Join(up, claimed, session, running, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFileOfBefore: sessions go on, with nothing proved that was not noted
// then; challenges are over, which is no fault.
func TestFileOfBefore(t *testing.T) {
	s, err := OpenSessions(before(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	now := time.Now()
	r, err := s.Find(t.Context(), sessions.ID{}, now)
	if err != nil || r.Subject != bob || !r.Passed || r.Strength != identity.Unproved {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := s.Challenges().Find(t.Context(), "c-1", now); !errors.Is(err, challenge.ErrNotFound) {
		t.Error(err)
	}
	running(t, s, "c-1", now)
}
