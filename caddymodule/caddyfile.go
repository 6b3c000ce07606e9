package caddymodule

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/stepgate/stepgate/match"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("stepgate", parseGlobal)
	httpcaddyfile.RegisterDirective("stepgate", parseSite)
	// After encode, so that Caddy's own auth handlers have run.
	httpcaddyfile.RegisterDirectiveOrder("stepgate", httpcaddyfile.After, "encode")
}

// reader reads one word of a block. It stands on the word; the word's
// arguments and block are next.
type reader func(d *caddyfile.Dispenser) error

// words maps each word of a block to what reads it.
type words map[string]reader

// repeats are the words that may stand more than once in a block: what they
// say adds up. All others would silently replace what stands above them.
var repeats = []string{"protect", "public", "logout", "refuse", "bypass", "field", "login", "success", "failure",
	"session_cookie", "session_header", "session_token", "session_field", "session_message", "problem", "password_change",
	"first_factor", "allow", "group", "realm", "header"}

// block reads a block of words, if one follows. A misspelt word is an error
// that lists those there are.
func block(d *caddyfile.Dispenser, within string, known words) error {
	last, seen := within, make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		read, ok := known[word]
		switch {
		case word == "{" || word == "}":
			return d.Errf("%s takes no block here", last)
		case !ok:
			return d.Errf("%s has no word %q in this version; it has %s", within, word,
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case seen[word] && !slices.Contains(repeats, word):
			return d.Errf("%s stands twice in %s; keep one", word, within)
		}
		if err := read(d); err != nil {
			return err
		}
		last, seen[word] = word, true
	}
	return nil
}

// one reads the only argument of a word.
func one(into *string) reader {
	return func(d *caddyfile.Dispenser) error {
		word, args := d.Val(), d.RemainingArgs()
		if len(args) != 1 || args[0] == "" {
			return d.Errf("%s takes one argument, not %s; quote it if it holds blanks", word, count(args))
		}
		*into = args[0]
		return nil
	}
}

// once reads the only argument of a word that may stand once, though others of
// that name may repeat.
func once(into *string) reader {
	return func(d *caddyfile.Dispenser) error {
		if *into != "" {
			return d.Errf("%s stands twice; keep one", d.Val())
		}
		return one(into)(d)
	}
}

func count(args []string) string {
	if len(args) == 1 {
		return "an empty one"
	}
	return strconv.Itoa(len(args))
}

// none reads a word that stands alone.
func none(into *bool) reader {
	return func(d *caddyfile.Dispenser) error {
		word := d.Val()
		if d.NextArg() {
			return d.Errf("%s stands alone and takes no %q", word, d.Val())
		}
		*into = true
		return nil
	}
}

// some reads one or more arguments, as the example has them.
func some(into *[]string, example string) reader {
	return func(d *caddyfile.Dispenser) error {
		word, args := d.Val(), d.RemainingArgs()
		if len(args) == 0 || slices.Contains(args, "") {
			return d.Errf("%s takes one or more arguments, and no empty one, as `%s %s`", word, word, example)
		}
		*into = append(*into, args...)
		return nil
	}
}

func duration(into *caddy.Duration) reader {
	return func(d *caddyfile.Dispenser) error {
		var text string
		word := d.Val()
		if err := one(&text)(d); err != nil {
			return err
		}
		v, err := caddy.ParseDuration(text)
		if err != nil {
			return d.Errf("%s: %q is not a duration like 15m, 1h or 30d", word, text)
		}
		*into = caddy.Duration(v)
		return nil
	}
}

// parseGlobal reads the global option:
//
//	stepgate {
//		brand   NAME
//		factors FACTOR…
//		keys    DIRECTORY
//		help    TEXT
//		overlay DIRECTORY
//		admin_socket PATH
//		admin_tls ADDRESS {…}
//		sessions redis ADDRESS… {…}
//		accounts postgres DSN {…}
//		mail HOST:PORT {…}
//		sms URL|twilio|aliyun {…}
//		shared_storage
//		near_sessions N
//		realm NAME {…}
//		policy {…}
//	}
func parseGlobal(d *caddyfile.Dispenser, before any) (any, error) {
	d.Next()
	if before != nil {
		return nil, d.Err("the global option stepgate stands twice; keep one")
	}
	if d.NextArg() {
		return nil, d.Errf("the global option stepgate takes a block and no argument; a site's name stands in the site's own stepgate")
	}
	app, word, all := new(App), d.Token(), wholly(nil)
	err := block(d, "the global option stepgate", words{
		"brand":        one(&app.Brand),
		"factors":      func(d *caddyfile.Dispenser) error { return parseFactors(d, app, &all) },
		"keys":         one(&app.Keys),
		"help":         one(&app.Help),
		"overlay":      one(&app.Overlay),
		"admin_tls":    func(d *caddyfile.Dispenser) error { return parseAdminTLS(d, app) },
		"admin_socket": checked(one(&app.AdminSocket), func() error { return checkSocket(app.AdminSocket) }),
		"policy":       func(d *caddyfile.Dispenser) error { return parsePolicy(d, &app.Policy, &all) },
		"realm":        func(d *caddyfile.Dispenser) error { return parseRealm(d, app, &all) },

		"sessions":       func(d *caddyfile.Dispenser) error { word = d.Token(); return parseSessions(d, app) },
		"accounts":       func(d *caddyfile.Dispenser) error { return parseAccounts(d, app) },
		"mail":           func(d *caddyfile.Dispenser) error { return parseMail(d, app) },
		"sms":            func(d *caddyfile.Dispenser) error { return parseSMS(d, app) },
		"shared_storage": none(&app.SharedStorage),
		"near_sessions":  checked(number(&app.NearSessions), func() error { return checkNear(app.NearSessions) }),
	})
	if err != nil {
		return nil, err
	}
	if err := app.checkStores(); err != nil {
		return nil, atWord(word, err)
	}
	if err := all.check(app); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "stepgate", Value: httpJSON(app)}, nil
}

// checked reports what a word broke while its line is still known.
func checked(read reader, check func() error) reader {
	return func(d *caddyfile.Dispenser) error {
		if err := read(d); err != nil {
			return err
		}
		if err := check(); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// method is how HTTP's methods look. Anything else in its place is a mistake
// that would leave the rule without effect.
var method = regexp.MustCompile(`^[A-Z][A-Z-]*$`)

// parseMatch reads `[METHOD…] /path…`, `*` or `@name`.
func parseMatch(h httpcaddyfile.Helper, word string) (m match.Match, err error) {
	d := h.Dispenser
	for d.NextArg() {
		arg := d.Val()
		switch {
		case strings.HasPrefix(arg, "@") && len(m.Paths)+len(m.Methods) == 0:
			return named(h, word)
		case strings.HasPrefix(arg, "@"):
			return m, d.Errf("%s: a named matcher stands alone; put the rest of the line into %s", word, arg)
		case strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "*"):
			m.Paths = append(m.Paths, arg)
		case len(m.Paths) == 0 && method.MatchString(arg):
			m.Methods = append(m.Methods, arg)
		default:
			return m, d.Errf("%s: %q is neither a METHOD, which is in capitals and comes first, nor a /path, * or a @matcher", word, arg)
		}
	}
	if len(m.Paths) == 0 {
		return m, d.Errf("%s: say which requests: a /path, * or a @matcher", word)
	}
	if err := m.Validate(); err != nil {
		return m, d.Errf("%s: %w", word, err)
	}
	return m, nil
}

// named reads a named matcher, which stands alone.
func named(h httpcaddyfile.Helper, word string) (m match.Match, err error) {
	d := h.Dispenser
	name := d.Val()
	d.Prev()
	set, _, err := h.MatcherToken()
	switch {
	case err != nil:
		return m, d.Errf("%s: there is no matcher %s: define it in this site, before or after", word, name)
	case len(set) == 0:
		return m, d.Errf("%s: the matcher %s is empty and would match everything: say in it what is meant, or write *", word, name)
	case d.NextArg():
		return m, d.Errf("%s: a named matcher stands alone; put %q into %s", word, d.Val(), name)
	}
	m.Matcher = set
	return m, nil
}
