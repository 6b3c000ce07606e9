package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/backup"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/seal"
)

// carol is in no backup.
var carol = identity.Subject{Realm: "wiki", Name: "carol"}

// Backed is a store of accounts that can be backed up.
type Backed interface {
	accounts.Directory
	accounts.Passwords
	backup.Store
}

// Whole is one with its budgets and its trail.
type Whole struct {
	Store   Backed
	Budgets limits.Store
	Trail   interface {
		audit.Trail
		audit.Reader
	}
}

// Backup tries backups from one store into another of perhaps another kind.
func Backup(t *testing.T, from, into func(t *testing.T) Whole) {
	t.Run("whole", func(t *testing.T) { backupWhole(t, from(t), into(t)) })
	t.Run("while somebody comes", func(t *testing.T) { backupMeanwhile(t, from(t), into(t)) })
	t.Run("again", func(t *testing.T) { backupAgain(t, from(t), into(t)) })
	t.Run("bad files", func(t *testing.T) { backupBadFiles(t, from(t), into(t)) })
}

func newRing(t *testing.T, ids ...string) *seal.Ring {
	t.Helper()
	var keys []seal.Key
	for _, id := range ids {
		keys = append(keys, seal.Key{ID: id, Secret: [seal.KeySize]byte{id[1]}})
	}
	ring, err := seal.NewRing(ids[0], keys...)
	must(t, err)
	return ring
}

// FillAll leaves something in every table.
func FillAll(t *testing.T, w Whole) { fillAll(t, w, clock()) }

func fillAll(t *testing.T, w Whole, now time.Time) {
	t.Helper()
	ctx, odd := t.Context(), identity.Subject{Realm: "wiki", Name: "b\xff'\x00"}
	for id, who := range map[string]identity.Subject{"c-1": alice, "c-2": odd} {
		c := accounts.Credential{ID: id, Subject: who, Factor: identity.TOTP, Name: "App \xfe", Secret: []byte{0, 255}, BoundAt: now, Strength: identity.Device, Noticed: true}
		must(t, w.Store.BindFirst(ctx, c))
		must(t, w.Store.AdvanceStep(ctx, c.ID, 7, true, now))
	}
	codes := accounts.Credential{ID: "codes", Subject: alice, Factor: identity.Recovery, BoundAt: now, Strength: identity.Device}
	must(t, w.Store.MakeCodes(ctx, codes, [][]byte{{1}, {2}, {3}}))
	must(t, w.Store.PutContact(ctx, accounts.Contact{ID: "k", Subject: alice, Kind: identity.SMS, Address: []byte{9}, Digest: []byte{8}, Language: "zh", BoundAt: now}, ""))
	must(t, w.Store.KnowBrowser(ctx, alice, accounts.Place{Address: "192.0.2.1", Browser: "B\xff", Mark: []byte{5}}, now))
	must(t, w.Store.TrustBrowser(ctx, alice, []byte{5}, now.Add(time.Hour)))
	must(t, w.Store.CreatePerson(ctx, odd, now))
	must(t, w.Store.IssueLink(ctx, odd, []byte{4}, now.Add(time.Hour)))
	must(t, w.Store.IssueTicket(ctx, alice, []byte{6}, now.Add(time.Hour)))
	_, err := w.Store.FileRequest(ctx, accounts.Request{Reference: "R-1", Subject: alice, Site: "wiki", At: now, Decision: accounts.RequestOpen})
	must(t, err)
	_, err = w.Store.SetMetaIfAbsent(ctx, "key-check-0", []byte{1})
	must(t, err)
	must(t, w.Store.SpendID(ctx, "spent", now.Add(time.Hour)))
	_, err = w.Budgets.Charge(ctx, "b", []limits.Rate{{Count: 1, Period: 24 * time.Hour}}, now)
	must(t, err)
	for i := range 1200 { // more than a page
		must(t, w.Trail.Append(ctx, audit.Record{At: now.Add(time.Duration(i)), Event: audit.FactorBound, Site: "wiki", Subject: alice}))
	}
}

func backupWhole(t *testing.T, from, into Whole) {
	ctx, now := t.Context(), clock()
	fillAll(t, from, now)
	var file bytes.Buffer
	n, err := backup.Write(ctx, &file, from.Store, newRing(t, "k1", "k0"), now)
	must(t, err)
	if strings.Contains(file.String(), "alice") || strings.Contains(file.String(), "YWxpY2") {
		t.Error("the file tells names")
	}
	later := now.Add(time.Minute)
	_, read, err := backup.Read(ctx, &file, into.Store, newRing(t, "k2", "k1", "k0"), later)
	must(t, err)
	if read != n || n < 1200 {
		t.Errorf("%d rows were written and %d read", n, read)
	}
	samePeople(t, from, into, later)
	voided(t, into, later)
	_, err = into.Store.Search(ctx, "wiki", "", "", 10)
	must(t, err)
	_, _, err = backup.Read(ctx, bytes.NewReader(mustWrite(t, from)), into.Store, newRing(t, "k1"), later)
	wantErr(t, "into a store in which somebody is", err, backup.ErrNotEmpty)
}

func mustWrite(t *testing.T, from Whole) []byte {
	t.Helper()
	var file bytes.Buffer
	_, err := backup.Write(t.Context(), &file, from.Store, newRing(t, "k1"), clock())
	must(t, err)
	return file.Bytes()
}

func samePeople(t *testing.T, from, into Whole, later time.Time) {
	t.Helper()
	ctx := t.Context()
	for _, who := range []identity.Subject{alice, {Realm: "wiki", Name: "b\xff'\x00"}} {
		want, err := from.Store.Account(ctx, who)
		must(t, err)
		got, err := into.Store.Account(ctx, who)
		must(t, err)
		if got.State != want.State || len(got.Credentials) != len(want.Credentials) || len(got.Contacts) != len(want.Contacts) {
			t.Fatalf("%s: got %+v, want %+v", who, got, want)
		}
		for i, c := range want.Credentials {
			if g := got.Credentials[i]; g.ID != c.ID || !bytes.Equal(g.Secret, c.Secret) || g.LastStep != lastStep(c, later) || g.Name != c.Name || g.Noticed != c.Noticed {
				t.Errorf("got %+v, want %+v", g, c)
			}
		}
		ended, err := into.Store.Ended(ctx, who, "s", later.Add(-time.Second))
		must(t, err)
		if !ended {
			t.Errorf("%s: a session of before goes on", who)
		}
	}
	for began, want := range map[time.Time]bool{later.Add(-time.Second): true, later.Add(time.Second): false} {
		if ended, err := into.Store.Ended(ctx, carol, "s", began); err != nil || ended != want {
			t.Errorf("a session of somebody whom the backup does not know, begun %v: ended %v, %v", began.Sub(later), ended, err)
		}
	}
	all, err := into.Trail.Find(ctx, alice, "", 5000)
	must(t, err)
	if len(all) != 1200 || !slices.IsSortedFunc(all, func(a, b audit.Record) int { return b.At.Compare(a.At) }) {
		t.Errorf("%d records, or another order", len(all))
	}
}

// lastStep is what counts as spent after a restore: all codes that could have
// been typed before.
func lastStep(c accounts.Credential, restored time.Time) int64 {
	if c.Factor == identity.TOTP {
		return restored.Unix() / 30
	}
	return c.LastStep
}

// voided are the things that may have been used since.
func voided(t *testing.T, into Whole, later time.Time) {
	t.Helper()
	ctx := t.Context()
	wantErr(t, "a spent id", into.Store.SpendID(ctx, "spent", later), accounts.ErrSpent)
	_, err := into.Store.SpendCode(ctx, "codes", []byte{1}, later)
	wantErr(t, "a recovery code", err, accounts.ErrSpent)
	b, err := into.Store.Browser(ctx, alice, []byte{5})
	must(t, err)
	if !b.Known || !b.TrustedUntil.IsZero() || !b.PassedAt.IsZero() {
		t.Errorf("the browser is %+v", b)
	}
	_, err = into.Store.Link(ctx, "wiki", []byte{4}, later)
	wantErr(t, "a link", err, accounts.ErrNoLink)
	wantErr(t, "a ticket", into.Store.RedeemTicket(ctx, alice, []byte{6}, later), accounts.ErrNoTicket)
	balance, err := into.Budgets.Peek(ctx, "b", []limits.Rate{{Count: 1, Period: 24 * time.Hour}}, later)
	must(t, err)
	if balance.Allowed {
		t.Error("the restore gives attempts back")
	}
}

// backupBadFiles fills nothing from what is not whole.
func backupBadFiles(t *testing.T, from, into Whole) {
	ctx, now := t.Context(), clock()
	fillAll(t, from, now)
	good := mustWrite(t, from)
	lines := bytes.SplitAfter(good, []byte("\n"))
	swapped := bytes.Join(append(append([][]byte{lines[0], lines[2], lines[1]}, lines[3:]...), nil), nil)
	flipped := bytes.Clone(good)
	flipped[len(lines[0])+100] ^= 1
	other := mustWrite(t, from)
	mixed := append(bytes.Clone(lines[0]), other[bytes.IndexByte(other, '\n')+1:]...)
	for what, bad := range map[string]struct {
		file []byte
		want error
	}{
		"cut at a line":      {bytes.Join(lines[:len(lines)-2], nil), backup.ErrDamaged},
		"cut in a line":      {good[:len(good)-20], backup.ErrDamaged},
		"lines swapped":      {swapped, backup.ErrDamaged},
		"a bit":              {flipped, backup.ErrDamaged},
		"another's header":   {mixed, backup.ErrDamaged},
		"something follows":  {append(bytes.Clone(good), "x\n"...), backup.ErrDamaged},
		"nothing":            {nil, backup.ErrNoBackup},
		"something else":     {[]byte("{}\nx\n"), backup.ErrNoBackup},
		"of another version": {bytes.Replace(good, []byte("backup-1"), []byte("backup-2"), 1), backup.ErrOtherVersion},
	} {
		if _, _, err := backup.Read(ctx, bytes.NewReader(bad.file), into.Store, newRing(t, "k1"), now); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v, want %v", what, err, bad.want)
		}
	}
	_, _, err := backup.Read(ctx, bytes.NewReader(good), into.Store, newRing(t, "k2"), now)
	if err == nil || !strings.Contains(err.Error(), "k1 is not among yours (k2)") {
		t.Errorf("a lost key: %v", err)
	}
	if all, err := into.Store.Search(ctx, "wiki", "", "", 10); err != nil || len(all) > 0 {
		t.Errorf("%v, %v are there after bad files", all, err)
	}
}

// meanwhile is a store in which somebody binds a factor after it was found
// empty, before the backup's rows come.
type meanwhile struct {
	Backed
	t *testing.T
}

func (m meanwhile) Fill(ctx context.Context, now int64, next func() (backup.Row, bool, error)) error {
	came := make(chan error, 1)
	first := true
	err := m.Backed.Fill(ctx, now, func() (backup.Row, bool, error) {
		if first {
			first = false
			go func() {
				came <- m.BindFirst(ctx, accounts.Credential{ID: "thief's", Subject: alice, Factor: identity.TOTP, Secret: []byte{1}, BoundAt: clock(), Strength: identity.Device})
			}()
			time.Sleep(200 * time.Millisecond)
		}
		return next()
	})
	if bound := <-came; (bound == nil) == (err == nil) {
		m.t.Errorf("the thief got %v, the backup %v: one must win", bound, err)
	}
	return err
}

// backupMeanwhile: a gateway that runs although it must not lets nobody bind
// beside what is restored. Either the person is there again, or nothing is.
func backupMeanwhile(t *testing.T, from, into Whole) {
	fillAll(t, from, clock())
	_, _, err := backup.Read(t.Context(), bytes.NewReader(mustWrite(t, from)), meanwhile{into.Store, t}, newRing(t, "k1"), clock())
	got, unread := into.Store.Account(t.Context(), alice)
	must(t, unread)
	var ids []string
	for _, c := range got.Credentials {
		ids = append(ids, c.ID)
	}
	if want := map[bool][]string{true: {"c-1", "codes"}, false: {"thief's"}}[err == nil]; !slices.Equal(ids, want) {
		t.Errorf("alice has %q, %v", ids, err)
	}
}

// backupAgain: a backup of what was restored ends sessions once more.
func backupAgain(t *testing.T, from, into Whole) {
	ctx, then := t.Context(), clock()
	_, _, err := backup.Read(ctx, bytes.NewReader(mustWrite(t, from)), from.Store, newRing(t, "k1"), then)
	must(t, err)
	_, _, err = backup.Read(ctx, bytes.NewReader(mustWrite(t, from)), into.Store, newRing(t, "k1"), then.Add(time.Hour))
	must(t, err)
	if ended, err := into.Store.Ended(ctx, carol, "s", then.Add(time.Minute)); err != nil || !ended {
		t.Errorf("a session between two restores goes on: %v, %v", ended, err)
	}
}
