//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/sessions"
)

// keyring is the master key that the gateways share, for us to make sessions
// and secrets as they do.
func newKeys(scratch string) (dir string, ring *seal.Ring, err error) {
	key, err := seal.NewKey("k1")
	if err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(scratch, "keys-"); err != nil {
		return "", nil, err
	}
	text := base64.StdEncoding.EncodeToString(key.Secret[:])
	if err := os.WriteFile(filepath.Join(dir, "k1.key"), []byte(text+"\n"), 0o600); err != nil {
		return "", nil, err
	}
	ring, err = seal.NewRing("k1", key)
	return dir, ring, err
}

// mint makes sessions that are like those of people who signed in, with one
// write each: the first half of a login is never stored.
type mint struct{ sessions.Store }

// Replace stores the second half.
func (m mint) Replace(ctx context.Context, _ sessions.ID, r sessions.Record) error {
	return m.Store.Create(ctx, r)
}

// mintSessions creates live sessions of the people from, from+1, … and
// returns the Cookie headers of their browsers.
func (s *stores) mintSessions(from, n int) ([]string, error) {
	service, err := sessions.New(sessions.Options{Store: mint{s.sessions}, Ring: s.ring, Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer service.Close()
	cookies, numbers := make([]string, n), make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	err = inParallel(64, numbers, func(i int) (err error) {
		if i > 0 && i%100_000 == 0 {
			say("%d sessions made", i)
		}
		cookies[i], err = mintOne(service, minted(from+i))
		return err
	})
	return cookies, err
}

// minted is a person who never signed in.
func minted(i int) identity.Subject {
	return identity.Subject{Realm: site, Name: fmt.Sprintf("minted%07d", i)}
}

func mintOne(service *sessions.Sessions, who identity.Subject) (string, error) {
	now := time.Now()
	first, _, err := service.Begin(sessions.Record{Site: site, Source: "console", Subject: who,
		BeganAt: now, ExpiresAt: now.Add(time.Hour), Idle: time.Hour, Address: "127.0.0.1", Browser: userAgent})
	if err != nil {
		return "", err
	}
	live, ck, err := service.Raise(context.Background(), first, sessions.Raised{AMR: []string{"pwd", "otp", "mfa"}, AuthTime: time.Now(), Idle: 24 * time.Hour, Life: 24 * time.Hour})
	if err != nil {
		return "", err
	}
	console := firstfactor.Console{SessionCookies: []string{consoleCookie}}
	header := http.Header{"Set-Cookie": {consoleCookie + "=" + consoleSession(who.Name)}}
	console.SealCookies(header, firstfactor.Keeper{Site: site, Boxes: live.Cookies}, now)
	sealed, err := http.ParseSetCookie(header.Get("Set-Cookie"))
	if err != nil {
		return "", err
	}
	return ck.Name + "=" + ck.Value + "; " + sealed.Name + "=" + sealed.Value, nil
}

// authenticator is the one secret of all people who never bound one.
const authenticator = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// mintAccounts creates people with an authenticator, many in a statement.
func (s *stores) mintAccounts(from, n int) error {
	state, err := s.boundState()
	if err != nil {
		return err
	}
	const most = 10_000
	for end := from + n; from < end; from += most {
		if err := s.insertAccounts(state, from, min(most, end-from)); err != nil {
			return err
		}
	}
	return nil
}

// boundState is how the store writes that somebody has a factor, taken from
// somebody who has.
func (s *stores) boundState() (state string, err error) {
	err = s.sql.QueryRow(`SELECT a.state FROM accounts a JOIN credentials c ON c.realm = a.realm AND c.name = a.name LIMIT 1`).Scan(&state)
	return state, err
}

func (s *stores) insertAccounts(state string, from, n int) error {
	ids, names, secrets := make([]string, n), make([][]byte, n), make([][]byte, n)
	for i := range n {
		who := minted(from + i)
		c := accounts.Credential{ID: fmt.Sprintf("minted-credential-%07d", from+i), Subject: who}
		ids[i], names[i] = c.ID, []byte(who.Name)
		secrets[i] = s.ring.Seal("credential", []byte(authenticator), c.SecretBinding()...)
	}
	_, err := s.sql.Exec(`INSERT INTO accounts (realm, name, state, valid_from)
		SELECT $1, name, $2, 0 FROM unnest($3::bytea[]) AS name`, site, state, names)
	if err != nil {
		return err
	}
	_, err = s.sql.Exec(`INSERT INTO credentials (id, realm, name, factor, label, secret, last_step, bound_at, used_at)
		SELECT id, $1, name, $2, 'Authenticator', secret, 0, $3, 0
		FROM unnest($4::text[], $5::bytea[], $6::bytea[]) AS new (id, name, secret)`,
		site, string(identity.TOTP), time.Now().UnixNano(), ids, names, secrets)
	return err
}
