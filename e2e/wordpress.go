//go:build e2e

package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

//go:embed wordpress/prelude.php
var wordpressPrelude string

//go:embed wordpress/install.php
var wordpressInstall string

// StartWordPress runs a freshly installed WordPress over a MariaDB of its own, with Alice as administrator, Bob as
// editor, a private post and an application password. It takes the address that the browser asked for as its own, so
// that it works behind any gateway.
func StartWordPress(t testing.TB) *Console {
	t.Helper()
	s := newScratch(t)
	const marker = "secret of the blog 2846"
	startMariaDB(t, s)
	s.write(t, "prelude.php", strings.ReplaceAll(wordpressPrelude, "SCRATCH", s.inside))
	s.write(t, "install.php", strings.NewReplacer(
		"ALICE", wordpressUser(Alice), "BOB", wordpressUser(Bob), "MARKER", phpString(marker),
	).Replace(wordpressInstall))
	printed := s.php(t, "install.php")
	_, password, ok := strings.Cut(printed, "application password: ")
	if !ok {
		t.Fatalf("WordPress was not installed: %s", printed)
	}
	c := serve(t, "WordPress", s, "/usr/share/wordpress")
	c.Secret, c.Marker, c.AppPassword = "/secret/", marker, strings.TrimSpace(password)
	c.login = form{"/wp-login.php", "#user_login", "#user_pass", "#wp-submit"}
	return c
}

func wordpressUser(a Account) string {
	return fmt.Sprintf("%s, %s, %s", phpString(a.Name), phpString(a.Password), phpString(a.Mail))
}

// startMariaDB runs a database that is reached through a socket in the scratch folder alone and therefore asks nobody
// for a password. It is fast rather than durable: nothing outlives the test.
func startMariaDB(t testing.TB, s scratch) {
	t.Helper()
	if err := os.Mkdir(s.path("mysql"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, "MariaDB", s.command("/usr/sbin/mariadbd", "--no-defaults", "--user=root",
		"--datadir="+s.inside+"/mysql", "--socket="+s.inside+"/db.sock", "--pid-file="+s.inside+"/db.pid",
		"--tmpdir="+s.inside, "--skip-networking", "--skip-grant-tables", "--skip-log-bin",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M"))
	p.wait(t, time.Minute, func() bool {
		_, err := os.Stat(filepath.Join(s.root, s.inside, "db.sock"))
		return err == nil
	})
}
