package templates

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// assets are what pages load. Their names carry a hash of their content, so
// that browsers may keep them for good and a change is seen at once.
type assets struct {
	style, logo, favicon string
	ownStyle             string           // of the pages on which people manage what is their own
	files                map[string]asset // by path
}

type asset struct {
	contentType string
	body        []byte
}

// ownStyle is what the pages need on which people manage what is their own, and
// no other page has to load.
//
//go:embed security.css
var ownStyle []byte

func loadAssets(base string, files layers) assets {
	a := assets{files: map[string]asset{}}
	ours, theirs := squeezed(files.own("style.css")), files.either("style.css", nil)
	a.style = a.add(base, "style.css", "text/css; charset=utf-8", slices.Concat(ours, theirs))
	a.ownStyle = a.add(base, "security.css", "text/css; charset=utf-8", slices.Concat(ours, squeezed(ownStyle), theirs))
	a.logo = a.add(base, "logo.svg", "image/svg+xml", files.either("logo.svg", files.own("logo.svg")))
	a.favicon = a.add(base, "favicon.svg", "image/svg+xml", files.either("favicon.svg", files.own("logo.svg")))
	return a
}

// spacing is what our own style has for those who read it.
var spacing = regexp.MustCompile(`/\*[^*]*\*/|\s*([{};,])\s*|(:) `)

// squeezed is the style without it: every page loads it.
func squeezed(style []byte) []byte {
	return spacing.ReplaceAll(style, []byte("$1$2"))
}

func (a assets) add(base, name, contentType string, body []byte) string {
	sum := sha256.Sum256(body)
	stem, ext, _ := strings.Cut(name, ".")
	path := base + "/assets/" + stem + "." + hex.EncodeToString(sum[:8]) + "." + ext
	a.files[path] = asset{contentType, body}
	return path
}

// styleOf is the style that a page loads.
func (a assets) styleOf(v View) string {
	switch v.(type) {
	case Security, OwnList, Change, NewCodes, Recovered, Noticed:
		return a.ownStyle
	}
	return a.style
}

// ServeAsset serves what pages load, under the names that they use, and
// nothing else.
func (s *Set) ServeAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets.files[r.URL.Path]
	if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A logo is the operator's, but drawings can hold scripts: opened as a
	// page of its own, it may run none.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a client that went away needs no answer
	}
}
