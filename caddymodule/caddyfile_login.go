package caddymodule

import (
	"fmt"
	"strconv"

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
	if len(args) < 2 {
		return d.Errf("%s takes a kind and a value: status, location, set_cookie, header, json, body or probe", word)
	}
	kind, values := args[0], args[1:]
	want := 1
	var err error
	switch kind {
	case "status":
		want, err = len(values), addStatus(c, values)
	case "set_cookie":
		want, c.SetCookies = len(values), append(c.SetCookies, values...)
	case "location":
		c.Location = values[0]
	case "body":
		c.Body = values[0]
	case "probe":
		c.Probe = values[0]
	case "header":
		want, c.Headers = 2, with(c.Headers, values)
	case "json":
		want, c.JSON = 2, with(c.JSON, values)
	default:
		return d.Errf("%s has no kind %q; it has status, location, set_cookie, header, json, body and probe", word, kind)
	}
	if err != nil {
		return d.WrapErr(err)
	}
	if len(values) != want {
		return d.Errf("%s %s takes %d values, not %d", word, kind, want, len(values))
	}
	return nil
}

func addStatus(c *firstfactor.Condition, values []string) error {
	for _, v := range values {
		status, err := strconv.Atoi(v)
		if err != nil || status < 200 || status > 599 {
			return fmt.Errorf("status: %q is not a status from 200 to 599", v)
		}
		c.Status = append(c.Status, status)
	}
	return nil
}

func with(m map[string]string, pair []string) map[string]string {
	if m == nil {
		m = make(map[string]string)
	}
	if len(pair) == 2 {
		m[pair[0]] = pair[1]
	}
	return m
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
	if c.Subject != nil {
		return d.Err("subject stands twice; keep one")
	}
	s := new(firstfactor.Subject)
	args := d.RemainingArgs()
	at := *d
	if err := subjectArgs(s, args); err != nil {
		return d.WrapErr(err)
	}
	err := block(d, "subject", words{"decode": some(&s.Decode), "decode_name": some(&s.DecodeName)})
	if err != nil {
		return err
	}
	if err := s.Prepare(); err != nil {
		return at.WrapErr(err)
	}
	c.Subject = s
	return nil
}

func subjectArgs(s *firstfactor.Subject, args []string) error {
	if len(args) == 1 && args[0] == "typed" {
		s.Typed = true
		return nil
	}
	if len(args) < 2 {
		return fmt.Errorf("subject takes where the console names the person: cookie NAME, header NAME, json /pointer, probe /path or typed")
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
		if len(rest) > 0 && rest[0][0] == '/' {
			s.JSON, rest = rest[0], rest[1:]
		}
	default:
		return fmt.Errorf("subject has no kind %q; it has cookie, header, json, probe and typed", args[0])
	}
	if len(rest) > 1 {
		return fmt.Errorf("subject %s takes one pattern, not %q as well", args[0], rest[1])
	}
	if len(rest) == 1 {
		s.Pattern = rest[0]
	}
	return nil
}
