package templates

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/text/language"
)

// Options is what an operator decides about the pages.
type Options struct {
	Brand   string // shown in the header, "" for Stepgate
	Help    string // where people find help, in the operator's words; "" none
	Base    string // the path that Stepgate owns, "/.stepgate"
	Overlay string // a directory as the package's documentation describes, "" none
}

// Set is all pages in all languages, checked and ready to be written.
type Set struct {
	options   Options
	languages []speech
	matcher   language.Matcher
	pages     map[string]map[string]*template.Template // language code, page
	assets    assets
}

// New reads the embedded pages and the overlay, and renders every page in
// every language and state once: what cannot be rendered is an error now, not
// when a person stands before it.
func New(o Options) (*Set, error) {
	if o.Brand == "" {
		o.Brand = "Stepgate"
	}
	files, err := open(o.Overlay)
	if err != nil {
		return nil, err
	}
	s := &Set{options: o, assets: loadAssets(o.Base, files)}
	if s.languages, s.matcher, err = loadLanguages(files); err != nil {
		return nil, err
	}
	if s.pages, err = parse(files, s.languages); err != nil {
		return nil, err
	}
	return s, s.rehearse()
}

// Brand is the name in the header.
func (s *Set) Brand() string { return s.options.Brand }

// rehearse renders every sample in every language.
func (s *Set) rehearse() error {
	for _, l := range s.languages {
		for _, sample := range Samples() {
			page, err := s.render(l, "/", sample.Frame, sample.View)
			if err == nil {
				err = hasScripts(page, sample.View)
			}
			if err != nil {
				return fmt.Errorf("templates: page %q in %s: %w", sample.Name, l.Code, err)
			}
		}
	}
	return nil
}

// Page is what a template sees.
type Page struct {
	Frame
	Brand, Help, Base    string
	Lang                 string // BCP 47, for the lang attribute
	Languages            []Switch
	Style, Logo, Favicon string // paths of the assets
	View                 View
}

// Class is the class of the body: "challenge", "passkey locked", "enroll
// expired", "notice stop", for styles that treat a page differently.
func (p Page) Class() string {
	switch v := p.View.(type) {
	case Enroll:
		if v.Expired {
			return "enroll expired"
		}
	case Notice:
		return "notice " + v.Tone()
	}
	if v, ok := p.View.(interface{ Locked() bool }); ok && v.Locked() {
		return p.View.page() + " locked"
	}
	return p.View.page()
}

// Binds tells whether the page binds something new, so that other ways are
// such as can be set up.
func (p Page) Binds() bool {
	v, ok := p.View.(binding)
	return ok && v.binds()
}

// Switch is one other language that a person can change to.
type Switch struct{ Lang, Name, URL string }

func (s *Set) render(l speech, back string, f Frame, v View) ([]byte, error) {
	t := s.pages[l.Code][v.page()]
	var b bytes.Buffer
	if _, ok := v.(RequestFiled); ok {
		f.Reference = "" // of two, people would quote the wrong one
	}
	err := t.Execute(&b, Page{
		Frame: f, View: v,
		Brand: s.options.Brand, Help: s.options.Help, Base: s.options.Base,
		Lang: l.Tag.String(), Languages: s.switches(l, back, v),
		Style: s.assets.styleOf(v), Logo: s.assets.logo, Favicon: s.assets.favicon,
	})
	return b.Bytes(), err
}

// Write answers with a page. Nothing is written before all of it is rendered.
func (s *Set) Write(w http.ResponseWriter, r *http.Request, status int, f Frame, v View) {
	if f.Now.IsZero() {
		f.Now = time.Now()
	}
	l := s.speech(r)
	setPageHeaders(w.Header(), l.Tag.String(), "text/html; charset=utf-8")
	body, err := s.render(l, s.back(r), f, v)
	if err != nil {
		// Rehearsed pages fail only through an overlay that breaks on rare
		// data; its words would tell a stranger about the machine.
		status, body = http.StatusInternalServerError, []byte(http.StatusText(http.StatusInternalServerError)+"\n")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	allowScripts(w.Header(), scriptsOf(v))
	setRetryAfter(w.Header(), f.Now, v)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away needs no answer
	}
}

// policy is what a page may load and where it may lead.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// setPageHeaders makes a page private, unframeable and free of foreign parts.
// Referrer-Policy is same-origin, not no-referrer: with that, browsers send
// "Origin: null" along with our own forms.
func setPageHeaders(h http.Header, lang, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Language", lang)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Vary", "Accept-Language, Cookie")
}

// setRetryAfter repeats for machines what the page tells people.
func setRetryAfter(h http.Header, now time.Time, v View) {
	t, ok := v.(interface{ retryAt() time.Time })
	if !ok || t.retryAt().IsZero() {
		return
	}
	wait := max(t.retryAt().Sub(now).Round(time.Second), time.Second)
	h.Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
}
