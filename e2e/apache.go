//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const apacheConfig = `ServerName localhost
ServerRoot %[1]s
PidFile %[1]s/httpd.pid
DefaultRuntimeDir %[1]s
Mutex file:%[1]s default
User #%[5]d
Group #%[5]d
Listen %[2]s
ErrorLog "|$/bin/cat >&2"
LogFormat "%%m %%U%%q %%s" brief
CustomLog "|/bin/cat" brief
StartServers 2

LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule php_module /usr/lib/apache2/modules/libphp8.2.so
LoadModule auth_openidc_module /usr/lib/apache2/modules/mod_auth_openidc.so
TypesConfig /dev/null
PHPIniDir %[1]s

OIDCProviderMetadataURL %[3]s/.well-known/openid-configuration
OIDCClientID console
OIDCClientSecret %[4]s
OIDCRedirectURI /sso/callback
OIDCCryptoPassphrase %[4]s
OIDCScope "openid profile"
OIDCRemoteUserClaim preferred_username
OIDCPKCEMethod S256
OIDCXForwardedHeaders X-Forwarded-Host X-Forwarded-Proto
OIDCSessionInactivityTimeout 3600

DocumentRoot %[1]s/app
AddType application/x-httpd-php .php
AliasMatch "^/(login|local|home|whoami|sso|bye)$" %[1]s/app/console.php
<Directory %[1]s/app>
	Require all granted
</Directory>
<Location /sso>
	AuthType openid-connect
	Require valid-user
</Location>
<LocationMatch "^/(home|whoami)$">
	AuthType openid-connect
	OIDCUnAuthAction pass
	Require valid-user
</LocationMatch>
`

// apacheApp is a console with two doors: Apache's, which asks the issuer, and a form of its own. Each opens a session of
// its own; who has none is told nothing.
const apacheApp = `<?php
$people = ['alice' => %[1]s, 'bob' => %[2]s];
$key = %[3]s;
[$local, $mac] = explode('.', ($_COOKIE['local_session'] ?? '') . '.');
$local = hash_equals(hash_hmac('sha256', $local, $key), $mac) ? $local : '';
$sso = $_SERVER['REMOTE_USER'] ?? '';
$name = $sso ?: $local;
switch (explode('?', $_SERVER['REQUEST_URI'])[0]) {
case '/login':
	echo '<!doctype html><title>Console</title><a id="sso" href="/sso">Single sign-on</a>
	<form method="post" action="/local"><input name="u"><input name="p" type="password"><button id="local">Sign in</button></form>';
	break;
case '/local':
	$u = $_POST['u'] ?? '';
	if (($people[$u] ?? null) !== ($_POST['p'] ?? '')) {
		http_response_code(403);
		echo 'Wrong name or password';
		break;
	}
	setcookie('local_session', $u . '.' . hash_hmac('sha256', $u, $key), ['path' => '/', 'httponly' => true]);
	header('Location: /home', true, 302);
	break;
case '/sso':
	header('Location: /home', true, 302);
	break;
case '/whoami':
	http_response_code($name === '' ? 401 : 200);
	header('Content-Type: application/json');
	echo json_encode(['name' => $name]);
	break;
case '/bye':
	setcookie('local_session', '', ['path' => '/', 'expires' => 1]);
	echo 'Goodbye';
	break;
default:
	if ($name === '') {
		http_response_code(401);
		echo 'Nobody';
		break;
	}
	echo '<!doctype html><title>Home</title><p id="who">', $name, ' by ', $sso ? 'the issuer' : 'password', '</p><p>%[4]s</p>';
}
`

// apacheUser is who the server runs as; any number but root's will do.
const apacheUser = 5432

// StartApache runs an application behind Apache's mod_auth_openidc, a client of the issuer named console, with a form
// for local logins beside it. The issuer learns its address by Admit.
func StartApache(t testing.TB, issuer *Issuer) *Console {
	t.Helper()
	s := newScratch(t)
	const marker = "secret of the console 2604"
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	s.write(t, "httpd.conf", fmt.Sprintf(apacheConfig, s.inside, addr, issuer.URL, apacheSecret, apacheUser))
	s.write(t, "php.ini", "display_errors=0\nlog_errors=1\n")
	s.write(t, "app/console.php", fmt.Sprintf(apacheApp, phpString(Alice.Password), phpString(Bob.Password), phpString(apacheSecret), marker))
	if err := os.Chmod(s.path("."), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.root, "dev", "shm"), 0o777); err != nil { // for its semaphores
		t.Fatal(err)
	}
	cmd := s.command("/usr/sbin/apache2", "-f", s.inside+"/httpd.conf", "-DFOREGROUND")
	c := &Console{URL: "http://" + addr, Addr: addr, Secret: "/home", Marker: marker, server: start(t, "Apache", cmd)}
	c.server.wait(t, time.Minute, func() bool { return answers(c.URL + "/login") })
	c.login = form{"/login", "input[name=u]", "input[name=p]", "#local"}
	return c
}

const apacheSecret = "sesame-of-the-console"

// Admit lets the issuer answer the console at the address that people know it by.
func (i *Issuer) Admit(base string) {
	i.t.Helper()
	i.Client(IssuerClient{ID: "console", Secret: apacheSecret, RedirectURIs: []string{base + "/sso/callback"}})
}
