package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
)

// machines finds interfaces for machines of which a site's rules leave open
// what becomes of them, and says for each what does and what to write.
func (h *Handler) machines(console *firstfactor.Console) (warnings []string) {
	for _, b := range h.Bypass {
		if what := exposes(b.Match, console); what != "" && !limited(b.Match) {
			warnings = append(warnings, fmt.Sprintf("bypass %s lets anybody use %s without a second factor: say who may, with `client_ip ADDRESSES` in its matcher", b.Name, what))
		}
	}
	for _, e := range console.TokenEndpoints {
		for _, path := range e.Paths {
			if !h.settled(console, e, path) {
				warnings = append(warnings, fmt.Sprintf("%s takes %s. %s. For machines that you trust, write `bypass machines @machines` with "+
					"`path %[1]s` and `client_ip ADDRESSES` in @machines; %[4]s", path, e.Takes, h.becomes(e, path), closing(e, path)))
			}
		}
	}
	return warnings
}

// settled tells whether a rule names the endpoint. One whose credential also
// makes a person's session is settled by the challenge.
func (h *Handler) settled(console *firstfactor.Console, e firstfactor.TokenEndpoint, path string) bool {
	if slices.ContainsFunc(console.SessionHeaders, func(s string) bool { return strings.EqualFold(s, e.Header) }) {
		return true
	}
	named := func(m match.Match) bool { return coversMethods(m, e.Methods) && coversPath(m, path) }
	return slices.ContainsFunc(slices.Concat(h.Refuse, console.Refuse), named) ||
		slices.ContainsFunc(h.Bypass, func(b Bypass) bool { return touches(b.Match, path) })
}

// becomes is what happens to such calls as the rules are.
func (h *Handler) becomes(e firstfactor.TokenEndpoint, path string) string {
	open := slices.ContainsFunc(h.Public, func(m match.Match) bool { return touches(m, path) })
	if len(h.Protect) > 0 && !slices.ContainsFunc(h.Protect, func(m match.Match) bool { return coversPath(m, path) }) {
		open = true
	}
	switch {
	case open && e.Header == "":
		return "Strangers can read there, and a credential in the query gets through without a second factor"
	case open:
		return "Strangers can read there, but " + e.Header + " is taken off, so that machines are strangers too"
	default:
		return "Who has no session gets 401 there, machines too"
	}
}

// closing is what to write where no machine needs the endpoint. People's own
// browsers may use it as well if a header tells the two apart.
func closing(e firstfactor.TokenEndpoint, path string) string {
	if e.Header == "" {
		return "for nobody, `refuse " + path + "`"
	}
	return fmt.Sprintf("for nobody, `refuse @tokens` with `path %s` and `header %s *` in @tokens", path, e.Header)
}

// exposes names what a bypass opens that takes credentials: a token endpoint
// or a login. "" if there is none.
func exposes(m match.Match, console *firstfactor.Console) string {
	for _, e := range console.TokenEndpoints {
		for _, path := range e.Paths {
			if touches(m, path) {
				return path + " (" + e.Takes + ")"
			}
		}
	}
	for _, login := range console.Logins {
		if login.Username.Anywhere {
			return "the login, which the console takes in any request,"
		}
		for _, path := range login.Match.Paths {
			if touches(m, path) {
				return "the login at " + path
			}
		}
	}
	return ""
}

// whoever are matchers of Caddy's that say what is asked for, and not by whom:
// a client writes all of that itself.
var whoever = []string{"path", "path_regexp", "method", "query", "host", "protocol", "header", "header_regexp", "file"}

// limited tells whether a rule says who may. Of matchers that are not known
// here that is believed.
func limited(m match.Match) bool {
	for name, raw := range m.Matcher {
		anyone := strings.HasSuffix(name, "_ip") && strings.Contains(string(raw), `/0"`)
		if !slices.Contains(whoever, name) && !anyone {
			return true
		}
	}
	return false
}

// pathsOf are the path patterns of a rule, wherever they stand; `*` if there
// are none.
func pathsOf(m match.Match) []string {
	paths := slices.Clone(m.Paths)
	var named []string
	if json.Unmarshal(m.Matcher["path"], &named) == nil {
		paths = append(paths, named...)
	}
	if len(paths) == 0 {
		return []string{"*"}
	}
	return paths
}

// coversPath tells whether a rule holds for all that a path pattern does.
func coversPath(m match.Match, path string) bool {
	return slices.ContainsFunc(pathsOf(m), func(p string) bool { return match.Glob(p, path) })
}

// coversMethods tells whether a rule that closes a door holds for all of these
// methods; of both, none means any.
func coversMethods(m match.Match, methods []string) bool {
	missing := func(method string) bool { return !slices.Contains(m.Methods, method) }
	return len(m.Methods) == 0 || len(methods) > 0 && !slices.ContainsFunc(methods, missing)
}

// touches tells whether a rule holds for some of what a path pattern does.
func touches(m match.Match, path string) bool {
	return slices.ContainsFunc(pathsOf(m), func(p string) bool { return match.Glob(p, path) || match.Glob(path, p) })
}
