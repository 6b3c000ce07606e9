package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// validated loads a Caddyfile as far as its start.
func validated(t *testing.T, text string) error {
	t.Helper()
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	config, err := adapt(text, "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, config)
	cfg.StorageRaw = []byte(fmt.Sprintf(`{"module":"file_system","root":%q}`, home))
	return caddy.Validate(cfg)
}

// TestOIDCSecrets: a client without its secret is no configuration, and an
// issuer that is away is one.
func TestOIDCSecrets(t *testing.T) {
	const site = "http://localhost:8080 {\n\tstepgate wiki {\n\t\tfirst_factor oidc {env.OIDC_ISSUER} {\n\t\t\tclient_id stepgate\n\t\t\tclient_secret %s\n\t\t}\n\t}\n}\n"
	t.Setenv("OIDC_ISSUER", "https://127.0.0.1:1")
	t.Setenv("OIDC_SECRET", "sesame")
	t.Setenv("OIDC_EMPTY", "")
	dir := t.TempDir()
	full, empty := filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	for path, text := range map[string]string{full: "sesame\n", empty: "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for secret, ok := range map[string]bool{
		"sesame": true, "{env.OIDC_SECRET}": true, "{file." + full + "}": true,
		"{env.OIDC_EMPTY}": false, "{env.OIDC_MISSING}": false, "{file." + empty + "}": false, "{file." + dir + "/missing}": false,
	} {
		err := validated(t, fmt.Sprintf(site, secret))
		if (err == nil) != ok {
			t.Errorf("%s: %v", secret, err)
		}
		if err != nil {
			mustSay(t, err.Error(), "client_secret", "wiki")
		}
	}
	t.Setenv("OIDC_ISSUER", "http://id.example.com")
	if err := validated(t, fmt.Sprintf(site, "sesame")); err == nil {
		t.Error("an issuer in the clear was taken")
	}
}
