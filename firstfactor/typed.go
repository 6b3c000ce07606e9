package firstfactor

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// loginHeaders are what a login may bring besides its body. A console can read
// any other header as an order of its own (DokuWiki's X-DokuWiki-Do), which
// would be done before the second factor.
var loginHeaders = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Language": true, "Connection": true, "Content-Length": true,
	"Content-Type": true, "Cookie": true, "Dnt": true, "Forwarded": true, "Origin": true, "Priority": true,
	"Referer": true, "Traceparent": true, "Tracestate": true, "True-Client-Ip": true, "Upgrade-Insecure-Requests": true,
	"User-Agent": true, "Via": true, "X-Real-Ip": true, "X-Request-Id": true, "X-Requested-With": true,
}

// OnlyTyped leaves a login's request what a browser sends with its form, and
// what proxies in front and tokens against forgery need.
func (a *Attempt) OnlyTyped(h http.Header) {
	for name := range h {
		plain := textproto.CanonicalMIMEHeaderKey(name)
		if plain != name || !loginHeaders[plain] && !strings.HasPrefix(plain, "Sec-") &&
			!strings.HasPrefix(plain, "X-Forwarded-") && !againstForgery(plain) {
			delete(h, name)
		}
	}
	a.dropShadows(h)
}

func againstForgery(header string) bool {
	lower := strings.ToLower(header)
	return strings.Contains(lower, "csrf") || strings.Contains(lower, "xsrf") || lower == "requestverificationtoken"
}

// dropShadows removes cookies that stand under the name of a field: some
// consoles read cookies and fields from one bag (PHP's $_REQUEST), and the
// cookie might count.
func (a *Attempt) dropShadows(h http.Header) {
	var kept []string
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
			if !a.isField(name) {
				kept = append(kept, strings.TrimSpace(pair))
			}
		}
	}
	delete(h, "Cookie")
	if len(kept) > 0 {
		h["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

func (a *Attempt) isField(cookie string) bool {
	base, _, _ := strings.Cut(cookie, "[")
	if a.Callback() { // its state may well lie in a cookie of that name
		return slices.ContainsFunc(a.local, func(name string) bool { return sameField(cookie, name) || sameField(base, name) })
	}
	for _, place := range append([]url.Values{a.fields.form, a.fields.files}, a.fields.query...) {
		for name := range place {
			if sameField(cookie, name) || sameField(base, name) {
				return true
			}
		}
	}
	return false
}
