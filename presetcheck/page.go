package presetcheck

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// form is one of a page's forms, as a browser would send it untouched.
type form struct {
	method, action string
	fields         url.Values
	password       string // the name of its password field
	submitted      bool   // a button has been counted
}

// page is what the check reads of a console's page.
type page struct {
	forms []form
	links []string
	loads []string // what it needs before anybody is signed in
}

func readPage(body []byte) (p page) {
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return page{}
	}
	p.walk(root, -1)
	return p
}

// walk reads a node and what is in it; in is the index of its form.
func (p *page) walk(n *html.Node, in int) {
	if n.Type == html.ElementNode {
		in = p.element(n, in)
	}
	for child := range n.ChildNodes() {
		p.walk(child, in)
	}
}

func (p *page) element(n *html.Node, in int) int {
	switch n.DataAtom {
	case atom.Form:
		p.forms = append(p.forms, form{method: strings.ToUpper(attr(n, "method")), action: attr(n, "action"), fields: make(url.Values)})
		return len(p.forms) - 1
	case atom.Input, atom.Button:
		if in >= 0 {
			p.forms[in].add(n)
		}
	case atom.A:
		p.links = append(p.links, attr(n, "href"))
	case atom.Script, atom.Img:
		p.load(attr(n, "src"))
	case atom.Link:
		if rel := attr(n, "rel"); strings.Contains(rel, "stylesheet") || strings.Contains(rel, "icon") {
			p.load(attr(n, "href"))
		}
	}
	return in
}

func (p *page) load(address string) {
	if address != "" && !strings.HasPrefix(address, "data:") && !slices.Contains(p.loads, address) {
		p.loads = append(p.loads, address)
	}
}

// add takes what a browser would send of a field. Of the buttons that is the
// one that is pressed, for which the first is taken.
func (f *form) add(n *html.Node) {
	name, kind := attr(n, "name"), strings.ToLower(attr(n, "type"))
	if n.DataAtom == atom.Button && kind == "" {
		kind = "submit"
	}
	switch {
	case kind == "submit" && f.submitted, kind == "button", kind == "reset", kind == "image", kind == "file":
		return
	case (kind == "checkbox" || kind == "radio") && !has(n, "checked"):
		return
	case kind == "submit":
		f.submitted = true
	case kind == "password" && f.password == "":
		f.password = name
	}
	if name != "" {
		f.fields.Add(name, attr(n, "value"))
	}
}

// withField is the form that has a field.
func (p page) withField(name string) (form, bool) {
	for _, f := range p.forms {
		if f.fields.Has(name) {
			return f, true
		}
	}
	return form{}, false
}

var signsOut = regexp.MustCompile(`(?i)(log|sign)[-_]?(out|off)\b`)

// exits are the ways out that a page offers, as method and target.
func (p page) exits() (found []exit) {
	for _, f := range p.forms {
		if signsOut.MatchString(f.action) && f.method == http.MethodPost {
			found = append(found, exit{f.method, f.action, f.fields.Encode()})
		}
	}
	for _, link := range p.links {
		if signsOut.MatchString(link) {
			found = append(found, exit{method: http.MethodGet, target: link})
		}
	}
	return found
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}
