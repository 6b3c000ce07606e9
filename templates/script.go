package templates

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

// linkScript brings the ticket of a one-time link from behind the #, where no
// server sees it, into the form.
//
//go:embed link.js
var linkScript string

// script is the script as a page holds it.
func script() template.HTML { return template.HTML("<script>" + linkScript + "</script>") }

// allowScript lets a page run this one script and no other (CSP3, section
// 2.3.1: hash-source).
func allowScript(h http.Header) {
	sum := sha256.Sum256([]byte(linkScript))
	h.Set("Content-Security-Policy", policy+"; script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
}
