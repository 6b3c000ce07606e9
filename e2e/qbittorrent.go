//go:build e2e

package e2e

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"testing"
	"time"
)

// qBittorrentConfig makes a qBittorrent that talks to nobody. %s are more lines.
const qBittorrentConfig = `[LegalNotice]
Accepted=true

[BitTorrent]
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\PeXEnabled=false
Session\Port=%d
Session\Interface=lo
Session\InterfaceName=lo

[Preferences]
Connection\UPnP=false
WebUI\Address=127.0.0.1
WebUI\Port=%d
WebUI\UseUPnP=false
WebUI\Username=alice
WebUI\Password_PBKDF2="@ByteArray(%s)"
%s
`

// askEverybody has qBittorrent ask for the password whoever it is: it would let its own machine in without.
const askEverybody = `WebUI\LocalHostAuth=true`

// StartQBittorrent runs a fresh qBittorrent, whose only account is Alice's. settings are lines of its preferences.
func StartQBittorrent(t testing.TB, settings string) *Console {
	t.Helper()
	s := newScratch(t)
	port := FreePort(t)
	s.write(t, "qBittorrent/config/qBittorrent.conf", fmt.Sprintf(qBittorrentConfig,
		FreePort(t), port, qBittorrentPassword(t, Alice.Password), settings))
	c := &Console{Addr: fmt.Sprintf("127.0.0.1:%d", port), Secret: "/api/v2/app/preferences", Marker: `"web_ui_username":"alice"`,
		server: start(t, "qBittorrent", s.command("/usr/bin/qbittorrent-nox", "--profile="+s.inside))}
	c.URL = "http://" + c.Addr
	c.login = form{"/", "#username", "#password", "#login"}
	c.server.wait(t, time.Minute, func() bool { return answers(c.URL) })
	return c
}

// qBittorrentPassword is the hash that qBittorrent keeps.
func qBittorrentPassword(t testing.TB, password string) string {
	t.Helper()
	salt := make([]byte, 16)
	rand.Read(salt)
	key, err := pbkdf2.Key(sha512.New, password, salt, 100_000, 64)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(salt) + ":" + base64.StdEncoding.EncodeToString(key)
}
