package passkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// fixed is a ceremony that is always the same, so that an answer which once
// got far gets as far again.
func fixed(t *testing.T, to purpose, keys ...[]byte) []byte {
	t.Helper()
	challenge := sha256.Sum256([]byte("challenge"))
	c := ceremony{to, holder("alice").Handle, webauthn.SessionData{
		Challenge: base(challenge[:]), RelyingPartyID: party.ID, UserID: holder("alice").Handle,
		Expires:          time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		UserVerification: protocol.VerificationRequired, CredParams: algorithms, AllowedCredentialIDs: keys}}
	kept, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// refused fails unless err is one of ours: whatever comes in has a kind.
func refused(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind == "" || e.Error() == "" {
		t.Fatalf("an error without a kind: %v", err)
	}
}

// Whatever registers is a key that can be stored and told again.
func FuzzRegistered(f *testing.F) {
	h := holder("alice")
	f.Fuzz(func(t *testing.T, answer []byte) {
		kept := fixed(t, toRegister)
		k, err := party.Registered(h, kept, answer)
		if err != nil {
			refused(t, err)
			return
		}
		if !k.Verified || !Matches(k.Raw, party.ID) {
			t.Errorf("%+v", k)
		}
		if _, err := party.person(holder("alice", k)); err != nil {
			t.Error(err)
		}
	})
}

// What proves is signed by the one key, whatever stands around it.
func FuzzProved(f *testing.F) {
	raw, err := os.ReadFile("testdata/key.json")
	if err != nil {
		f.Fatal(err)
	}
	r, err := readRecord(raw)
	if err != nil {
		f.Fatal(err)
	}
	h := holder("alice", Key{Raw: raw})
	f.Fuzz(func(t *testing.T, answer []byte) {
		kept := fixed(t, toProve, r.Credential.ID)
		k, err := party.Proved(h, kept, answer)
		if err != nil {
			refused(t, err)
			return
		}
		if !k.Verified || !bytes.Equal(k.ID, r.Credential.ID) {
			t.Errorf("%+v", k)
		}
	})
}

// The corpus is worth something only while its best inputs pass.
func TestCorpusGetsFar(t *testing.T) {
	raw, err := os.ReadFile("testdata/key.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"packed", "none"} {
		if _, err := party.Registered(holder("alice"), fixed(t, toRegister), seed(t, "FuzzRegistered/"+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := readRecord(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"proof", "no-handle"} {
		kept := fixed(t, toProve, r.Credential.ID)
		if _, err := party.Proved(holder("alice", Key{Raw: raw}), kept, seed(t, "FuzzProved/"+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// seed reads an input of the corpus.
func seed(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/fuzz/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(data), "[]byte(")
	text, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(value), ")"))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}
