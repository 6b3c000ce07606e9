package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/stepgate/stepgate/firstfactor"
)

// parseCondition reads one line of `success` or `failure`; several lines are
// one condition, all of which must hold.
//
//	status     302 303
//	location   /wp-admin*
//	set_cookie NAME…
//	header     NAME VALUE
//	json       /pointer VALUE
//	body       PATTERN
//	probe      /path
func parseCondition(d *caddyfile.Dispenser, c *firstfactor.Condition) error {
	word, args := d.Val(), d.RemainingArgs()
	if len(args) < 2 || slices.Contains(args, "") {
		return d.Errf("%s takes a kind and a value: status, location, set_cookie, header, json, body or probe", word)
	}
	if err := addCondition(c, args[0], args[1:]); err != nil {
		return d.Errf("%s %w", word, err)
	}
	return nil
}

func addCondition(c *firstfactor.Condition, kind string, values []string) error {
	switch kind {
	case "status":
		return addStatus(c, values)
	case "set_cookie":
		c.SetCookies = append(c.SetCookies, values...)
		return nil
	case "location":
		return only(&c.Location, kind, values)
	case "body":
		return only(&c.Body, kind, values)
	case "probe":
		return only(&c.Probe, kind, values)
	case "header":
		return pair(&c.Headers, kind, values)
	case "json":
		return pair(&c.JSON, kind, values)
	}
	return fmt.Errorf("has no kind %q in this version; it has status, location, set_cookie, header, json, body and probe", kind)
}

func addStatus(c *firstfactor.Condition, values []string) error {
	for _, v := range values {
		status, err := strconv.Atoi(v)
		if err != nil || status < 200 || status > 599 {
			return fmt.Errorf("status %q is not a status from 200 to 599", v)
		}
		c.Status = append(c.Status, status)
	}
	return nil
}

// only takes a kind's one value, once.
func only(into *string, kind string, values []string) error {
	switch {
	case len(values) != 1:
		return fmt.Errorf("%s takes one value, not %d; quote it if it holds blanks", kind, len(values))
	case *into != "":
		return fmt.Errorf("%s stands twice; keep one", kind)
	}
	*into = values[0]
	return nil
}

// pair takes a name and the pattern of its value, once for each name.
func pair(into *map[string]string, kind string, values []string) error {
	if len(values) != 2 {
		return fmt.Errorf("%s takes a name and a value, not %d values; quote what holds blanks", kind, len(values))
	}
	if _, twice := (*into)[values[0]]; twice {
		return fmt.Errorf("%s %s stands twice; keep one", kind, values[0])
	}
	if *into == nil {
		*into = make(map[string]string)
	}
	(*into)[values[0]] = values[1]
	return nil
}

// parseSubject reads:
//
//	subject cookie NAME [PATTERN]
//	subject header NAME [PATTERN]
//	subject json   /pointer [PATTERN]
//	subject probe  /path [/pointer] [PATTERN]
//	subject typed
//
// with a block `decode url|base64…` for before the pattern and `decode_name`
// for what its group matched.
func parseSubject(d *caddyfile.Dispenser, c *firstfactor.Console) error {
	s := new(firstfactor.Subject)
	if err := subjectArgs(s, d.RemainingArgs()); err != nil {
		return d.WrapErr(err)
	}
	if err := s.Prepare(); err != nil {
		return d.Errf("subject: %w", err)
	}
	c.Subject = s
	return block(d, "subject", words{
		"decode":      checked(some(&s.Decode, "url"), s.Prepare),
		"decode_name": checked(some(&s.DecodeName, "url"), s.Prepare),
	})
}

func subjectArgs(s *firstfactor.Subject, args []string) error {
	if len(args) == 1 && args[0] == "typed" {
		s.Typed = true
		return nil
	}
	if len(args) < 2 || slices.Contains(args, "") {
		return errors.New("subject takes where the console names the person: cookie NAME, header NAME, json /pointer, probe /path or typed")
	}
	rest := args[2:]
	switch args[0] {
	case "cookie":
		s.Cookie = args[1]
	case "header":
		s.Header = args[1]
	case "json":
		s.JSON = args[1]
	case "probe":
		s.Probe = args[1]
		if len(rest) > 0 && strings.HasPrefix(rest[0], "/") {
			s.JSON, rest = rest[0], rest[1:]
		}
	default:
		return fmt.Errorf("subject has no kind %q in this version; it has cookie, header, json, probe and typed", args[0])
	}
	if len(rest) > 1 {
		return fmt.Errorf("subject %s takes one pattern, not %q as well", args[0], rest[1])
	}
	if len(rest) == 1 {
		s.Pattern = rest[0]
	}
	return nil
}

// parseProblem reads `problem NAME VALUE`.
func parseProblem(d *caddyfile.Dispenser, c *firstfactor.Console) error {
	if err := pair(&c.Problem, "problem", d.RemainingArgs()); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseFederated reads `federated ISSUER…`.
func parseFederated(d *caddyfile.Dispenser, l *firstfactor.Login) error {
	if l.Federated == nil {
		l.Federated = new(firstfactor.Federated)
	}
	return some(&l.Federated.Issuers, "https://id.example.com")(d)
}
