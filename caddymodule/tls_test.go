package caddymodule

import (
	"path/filepath"
	"testing"
)

// A renewed certificate is another connection, and a wrong file an error that
// names it.
func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	ca, key, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key"), filepath.Join(dir, "empty.pem")
	writeCertificate(t, ca, key)
	writeFile(t, empty, "")
	whole := &TLS{CA: ca, Cert: ca, Key: key, ServerName: "redis.example.com"}
	config, before, err := whole.load()
	if err != nil || config.ServerName != "redis.example.com" || config.RootCAs == nil || len(config.Certificates) != 1 {
		t.Fatalf("%+v, %v", config, err)
	}
	writeCertificate(t, ca, key)
	if _, after, err := whole.load(); err != nil || after == before {
		t.Errorf("a renewed certificate is not noticed (%v)", err)
	}
	for says, broken := range map[string]*TLS{
		"ca: ":                        {CA: filepath.Join(dir, "missing")},
		"empty.pem holds no":          {CA: empty},
		"the certificate and its own": {Cert: ca, Key: empty},
	} {
		if _, _, err := broken.load(); err == nil {
			t.Errorf("%+v was taken", broken)
		} else {
			mustSay(t, err.Error(), says)
		}
	}
	if config, _, err := (*TLS)(nil).load(); config != nil || err != nil {
		t.Errorf("without tls: %v, %v", config, err)
	}
}
