package templates

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// script is one of our scripts. Few pages have one; it stands in the page
// itself, the same whatever is on it, and reads what differs from attributes.
type script string

var (
	// linkScript brings the ticket of a one-time link from behind the #, where
	// no server sees it, into the form.
	//
	//go:embed link.js
	linkScript script

	// passkeyScript runs a passkey's ceremony, which no form can do.
	//
	//go:embed passkey.js
	passkeyScript script

	// waitScript counts down on a button that may not be used yet; without it
	// people reload.
	//
	//go:embed wait.js
	waitScript script

	// printScript makes the buttons that print a page, which are hidden
	// without it.
	//
	//go:embed print.js
	printScript script
)

// scriptsOf are the scripts of a page; most have none.
func scriptsOf(v View) []script {
	switch v.(type) {
	case Link:
		return []script{linkScript}
	case PasskeyCheck, EnrollPasskey:
		return []script{passkeyScript}
	case SentCode:
		return []script{waitScript}
	case NewCodes:
		return []script{printScript}
	}
	return nil
}

// element is the script as a page holds it.
func (s script) element() string { return "<script>" + string(s) + "</script>" }

// source names the script in a policy by its hash (CSP3, section 2.3.1).
func (s script) source() string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Scripts are the elements of the page's scripts, "" for most pages.
func (p Page) Scripts() template.HTML {
	var all strings.Builder
	for _, s := range scriptsOf(p.View) {
		all.WriteString(s.element())
	}
	return template.HTML(all.String())
}

// allowScripts lets a page run these scripts and no other.
func allowScripts(h http.Header, all []script) {
	if len(all) == 0 {
		return
	}
	sources := make([]string, len(all))
	for i, s := range all {
		sources[i] = s.source()
	}
	h.Set("Content-Security-Policy", policy+"; script-src "+strings.Join(sources, " "))
}

// hasScripts refuses a page that lost its scripts to an overlay's layout.
func hasScripts(page []byte, v View) error {
	for _, s := range scriptsOf(v) {
		if !bytes.Contains(page, []byte(s.element())) {
			return fmt.Errorf("the page needs its script: pages/layout.html has to end in {{.Scripts}}, before </body>")
		}
	}
	return nil
}
