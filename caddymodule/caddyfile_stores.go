package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseSessions reads:
//
//	sessions redis ADDRESS… {
//		sentinel NAME {
//			username NAME
//			password SECRET
//		}
//		cluster
//		username NAME
//		password SECRET
//		tls {…}
//		db     N
//		prefix NAME
//	}
func parseSessions(d *caddyfile.Dispenser, app *App) error {
	word, args := d.Token(), d.RemainingArgs()
	if len(args) == 0 || args[0] != "redis" {
		return d.Err("sessions takes a store, which in this version is redis, as `sessions redis localhost:6379`; " +
			"without the word they lie in a file of this machine")
	}
	r := &Redis{Addresses: args[1:]}
	app.Sessions = &SessionStore{Redis: r}
	err := block(d, "sessions redis", words{
		"sentinel": func(d *caddyfile.Dispenser) error { return parseSentinel(d, r) },
		"cluster":  none(&r.Cluster),
		"username": one(&r.Username),
		"password": one(&r.Password),
		"tls":      func(d *caddyfile.Dispenser) error { return parseTLS(d, r) },
		"db":       number(&r.DB),
		"prefix":   one(&r.Prefix),
	})
	if err != nil {
		return err
	}
	return atWord(word, app.Sessions.check())
}

func parseSentinel(d *caddyfile.Dispenser, r *Redis) error {
	r.Sentinel = new(Sentinel)
	if err := one(&r.Sentinel.Name)(d); err != nil {
		return err
	}
	return block(d, "sentinel", words{
		"username": one(&r.Sentinel.Username),
		"password": one(&r.Sentinel.Password),
	})
}

// parseTLS reads:
//
//	tls {
//		ca          FILE
//		cert        FILE KEY
//		server_name NAME
//	}
func parseTLS(d *caddyfile.Dispenser, r *Redis) error {
	if d.NextArg() {
		return d.Err("tls takes a block and no argument: its words are ca, cert and server_name; it needs none of them")
	}
	r.TLS = new(TLS)
	return block(d, "tls", words{
		"ca":          one(&r.TLS.CA),
		"cert":        func(d *caddyfile.Dispenser) error { return parseCert(d, r.TLS) },
		"server_name": one(&r.TLS.ServerName),
	})
}

func parseCert(d *caddyfile.Dispenser, t *TLS) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("cert takes two files, the certificate and its key, as `cert node.pem node.key`, not %d", len(args))
	}
	t.Cert, t.Key = args[0], args[1]
	return nil
}

// parseAccounts reads:
//
//	accounts postgres DSN {
//		password SECRET
//	}
func parseAccounts(d *caddyfile.Dispenser, app *App) error {
	word, args := d.Token(), d.RemainingArgs()
	switch {
	case len(args) == 0 || args[0] != "postgres":
		return d.Err("accounts takes a store, which in this version is postgres, as `accounts postgres \"host=db1 dbname=mfa user=stepgate\"`; " +
			"without the word they lie in a file of this machine")
	case len(args) > 2:
		return d.Errf("accounts postgres takes one argument, not %d; quote the DSN", len(args)-1)
	}
	p := new(Postgres)
	if len(args) == 2 {
		p.DSN = args[1]
	}
	app.Accounts = &AccountStore{Postgres: p}
	if err := block(d, "accounts postgres", words{"password": one(&p.Password)}); err != nil {
		return err
	}
	return atWord(word, app.Accounts.check())
}

func number(into *int) reader {
	return func(d *caddyfile.Dispenser) (err error) {
		var text string
		word := d.Val()
		if err := one(&text)(d); err != nil {
			return err
		}
		if *into, err = strconv.Atoi(text); err != nil {
			return d.Errf("%s takes a number, not %q", word, text)
		}
		return nil
	}
}

// atWord reports what a block broke as a whole, at the word that it began with.
func atWord(word caddyfile.Token, err error) error {
	if err == nil {
		return nil
	}
	d := caddyfile.NewDispenser([]caddyfile.Token{word})
	d.Next()
	return d.WrapErr(err)
}
