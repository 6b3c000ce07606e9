//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

const dokuwikiPrelude = `<?php
define('DOKU_CONF', %s);
`

const dokuwikiConfig = `<?php
$conf['title'] = 'Example wiki';
$conf['savedir'] = %s;
$conf['useacl'] = 1;
$conf['superuser'] = 'alice';
$conf['remote'] = 1;
$conf['remoteuser'] = '';
$conf['updatecheck'] = 0;
`

// StartDokuWiki runs a fresh wiki that shows nothing to the anonymous, with Alice as its superuser, Bob as a user and
// XML-RPC switched on.
func StartDokuWiki(t testing.TB) *Console {
	t.Helper()
	s := newScratch(t)
	const marker = "secret of the wiki 7319"
	s.write(t, "prelude.php", fmt.Sprintf(dokuwikiPrelude, phpString(s.inside+"/conf/")))
	s.write(t, "conf/local.php", fmt.Sprintf(dokuwikiConfig, phpString(s.inside+"/data")))
	s.write(t, "conf/plugins.local.php", "<?php\n$plugins['testing'] = 0;\n")
	s.write(t, "conf/acl.auth.php", "*\t@ALL\t0\n*\t@user\t16\n")
	s.write(t, "conf/users.auth.php", dokuwikiUser(t, Alice, "admin,user")+dokuwikiUser(t, Bob, "user"))
	if err := os.CopyFS(s.path("data"), os.DirFS(filepath.Join(s.root, "var/lib/dokuwiki/data"))); err != nil {
		t.Fatal(err)
	}
	s.write(t, "data/pages/secret.txt", marker)
	c := serve(t, "DokuWiki", s, "/usr/share/dokuwiki")
	c.Secret, c.Marker = "/doku.php?id=secret", marker
	c.login = form{"/doku.php?id=secret&do=login", "input[name=u]", "input[name=p]", "#dw__login button[type=submit]"}
	return c
}

func dokuwikiUser(t testing.TB, a Account, groups string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(a.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s:%s:%s Example:%s:%s\n", a.Name, hash, a.Name, a.Mail, groups)
}
