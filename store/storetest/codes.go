package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var codeTests = map[string]func(*testing.T, People){
	"make":         codeMake,
	"spend":        codeSpend,
	"one, crowd":   codeCrowd,
	"all, crowd":   codesCrowd,
	"renew, crowd": codeRenewCrowd,
}

// code is the digest of the code i.
func code(i byte) []byte { return []byte{0, i, 255} }

func codes(from byte) (all [][]byte) {
	for i := range byte(10) {
		all = append(all, code(from+i))
	}
	return all
}

// withCodes gives a subject that is bound ten recovery codes, 0 to 9, with the
// credential "r".
func withCodes(t *testing.T, s People, who identity.Subject, now time.Time) {
	t.Helper()
	must(t, s.MakeCodes(t.Context(), plain(who, "r", identity.Recovery, now.Add(time.Hour)), codes(0)))
}

func codeMake(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	c := newCredential("r", now)
	c.Factor = identity.Recovery
	wantErr(t, "never bound", s.MakeCodes(ctx, c, codes(0)), accounts.ErrNotBound)
	accountNeverSeen(t, s)
	withFactors(t, s, alice, now.Add(-time.Hour), "k1")
	withFactors(t, s, bob, now, "b1")
	must(t, s.MakeCodes(ctx, c, codes(0)))
	c.Left = 10
	sameCredential(t, credentialOf(t, s, alice, "r"), c)
	must(t, s.MakeCodes(ctx, plain(bob, "r-bob", identity.Recovery, now), codes(0)))

	must(t, s.MakeCodes(ctx, plain(alice, "r2", identity.Recovery, now), codes(5)[:3]))
	wantFactors(t, "renewed", s, alice, "k1", "r2")
	if left := credentialOf(t, s, alice, "r2").Left; left != 3 {
		t.Errorf("%d codes are left, want 3", left)
	}
	_, err := s.SpendCode(ctx, "r", code(0), now)
	wantErr(t, "a code of before", err, accounts.ErrNoCredential)
	_, err = s.SpendCode(ctx, "r2", code(0), now)
	wantErr(t, "a code of before, with the new credential", err, accounts.ErrNoCredential)
	if left := credentialOf(t, s, bob, "r-bob").Left; left != 10 {
		t.Errorf("bob has %d codes left", left)
	}
	if left := credentialOf(t, s, alice, "k1").Left; left != 0 {
		t.Errorf("another credential has %d codes", left)
	}
}

func codeSpend(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	withFactors(t, s, alice, now, "k1")
	withFactors(t, s, bob, now, "b1")
	withCodes(t, s, alice, now)
	must(t, s.MakeCodes(ctx, plain(bob, "r-bob", identity.Recovery, now), codes(0)))
	left, err := s.SpendCode(ctx, "r", code(4), now)
	if err != nil || left != 9 {
		t.Errorf("%d are left, %v", left, err)
	}
	_, err = s.SpendCode(ctx, "r", code(4), now)
	wantErr(t, "twice", err, accounts.ErrSpent)
	for what, digest := range map[string][]byte{"unknown": code(99), "empty": {}, "shorter": code(5)[:2], "longer": append(code(5), 0)} {
		_, err = s.SpendCode(ctx, "r", digest, now.Add(time.Hour))
		wantErr(t, what, err, accounts.ErrNoCredential)
	}
	_, err = s.SpendCode(ctx, "k9", code(5), now)
	wantErr(t, "of no credential", err, accounts.ErrNoCredential)
	got := credentialOf(t, s, alice, "r")
	same(t, "used", got.UsedAt, now)
	if bobs := credentialOf(t, s, bob, "r-bob"); got.Left != 9 || bobs.Left != 10 || !bobs.UsedAt.IsZero() {
		t.Errorf("alice: %+v\nbob: %+v", got, bobs)
	}
}

func codeCrowd(t *testing.T, s People) {
	now := clock()
	withFactors(t, s, alice, now, "k1")
	withCodes(t, s, alice, now)
	won := race(t, accounts.ErrSpent, func(int) error {
		_, err := s.SpendCode(t.Context(), "r", code(0), now)
		return err
	})
	if left := credentialOf(t, s, alice, "r").Left; won != 1 || left != 9 {
		t.Errorf("%d spent the same code, %d are left", won, left)
	}
}

// codesCrowd: each code once, and everybody is told another number.
func codesCrowd(t *testing.T, s People) {
	now := clock()
	withFactors(t, s, alice, now, "k1")
	withCodes(t, s, alice, now)
	var mu sync.Mutex
	var told []int
	race(t, accounts.ErrSpent, func(i int) error {
		left, err := s.SpendCode(t.Context(), "r", code(byte(i%10)), now)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, left)
		}
		return err
	})
	slices.Sort(told)
	if !slices.Equal(told, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("told was %v", told)
	}
}

// codeRenewCrowd: however many renew the codes at once, one set is there.
func codeRenewCrowd(t *testing.T, s People) {
	now := clock()
	withFactors(t, s, alice, now.Add(-time.Hour), "k1")
	race(t, nil, func(i int) error {
		return s.MakeCodes(t.Context(), plain(alice, string(rune('A'+i)), identity.Recovery, now), codes(0))
	})
	got := account(t, s, alice).Credentials
	if len(got) != 2 || got[1].Left != 10 {
		t.Errorf("got %+v", got)
	}
}
