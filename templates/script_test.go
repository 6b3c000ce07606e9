package templates

import (
	"net/http"
	"strings"
	"testing"
)

// A page gets the scripts that it needs, and its policy lets run these alone.
func TestScriptsOfAPage(t *testing.T) {
	for _, c := range []struct {
		view View
		want []script
	}{
		{Link{}, []script{linkScript}},
		{PasskeyCheck{}, []script{passkeyScript}},
		{EnrollPasskey{}, []script{passkeyScript}},
		{SentCode{}, []script{waitScript}},
		{NewCodes{}, []script{printScript}},
		{Challenge{}, nil}, {Enroll{}, nil}, {Notice{}, nil}, {SignIn{}, nil}, {Password{}, nil}, {NewPassword{}, nil},
		{RecoveryCheck{}, nil}, {Ticket{}, nil}, {Stuck{}, nil}, {EnrollContact{}, nil},
	} {
		h := http.Header{}
		allowScripts(h, scriptsOf(c.view))
		held, allowed := string(Page{View: c.view}.Scripts()), h.Get("Content-Security-Policy")
		if strings.Count(held, "<script>") != len(c.want) || strings.Count(allowed, "'sha256-") != len(c.want) {
			t.Errorf("%T holds %q and allows %q", c.view, held, allowed)
		}
		if strings.Contains(allowed, "script-src 'self'") || strings.Contains(allowed, "unsafe") {
			t.Errorf("%T allows %q", c.view, allowed)
		}
		for _, s := range c.want {
			if !strings.Contains(held, "<script>"+string(s)+"</script>") || !strings.Contains(allowed, "'sha256-"+sha256Of(string(s))+"'") {
				t.Errorf("%T lacks a script: %q, %q", c.view, held, allowed)
			}
		}
	}
}

// A script is small, ends where it should, and brings nothing that a policy
// would have to allow.
func TestScriptsAreSmallAndPlain(t *testing.T) {
	for _, s := range []script{linkScript, passkeyScript, waitScript, printScript} {
		if s == "" || len(s) > 4<<10 {
			t.Errorf("%d bytes: %.40s", len(s), s)
		}
		for _, bad := range []string{"</script", "<!--", "eval(", "innerHTML", "Function(", "import", "fetch(", "style."} {
			if strings.Contains(string(s), bad) {
				t.Errorf("%s in %.40s", bad, s)
			}
		}
	}
}

func TestLayoutThatLosesScripts(t *testing.T) {
	dir := overlay(t, map[string]string{"pages/layout.html": `<title>{{template "title" .}}</title>{{template "main" .}}`})
	_, err := New(Options{Base: base, Overlay: dir})
	if err == nil || !strings.Contains(err.Error(), "{{.Scripts}}") {
		t.Errorf("%v", err)
	}
}
