package caddymodule

import (
	"maps"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/stepgate/stepgate/notify"
)

// parseMail reads:
//
//	mail HOST:PORT {
//		from     "Example Security <security@example.com>"
//		username NAME
//		password SECRET
//		tls      starttls|implicit|none
//		ca       FILE
//		timeout  10s
//	}
func parseMail(d *caddyfile.Dispenser, app *App) error {
	word, args := d.Token(), d.RemainingArgs()
	if len(args) != 1 {
		return d.Err("mail takes one server with its port, as `mail smtp.example.com:587`; all else stands in its block")
	}
	m := &Mail{SMTP: notify.SMTP{Address: args[0]}}
	app.Mail = m
	err := block(d, "mail", words{
		"from":     one(&m.From),
		"username": one(&m.Username),
		"password": one(&m.Password),
		"tls":      one(&m.TLS),
		"ca":       one(&m.CA),
		"timeout":  duration(&m.Timeout),
	})
	if err != nil {
		return err
	}
	return atWord(word, m.checkEarly())
}

// parseSMS reads one of:
//
//	sms URL {…}
//	sms twilio {…}
//	sms aliyun {…}
func parseSMS(d *caddyfile.Dispenser, app *App) error {
	word, args := d.Token(), d.RemainingArgs()
	if len(args) != 1 || smsBlock(args[0]) == "ADDRESS" && !strings.Contains(args[0], "://") && !placeheld(args[0]) {
		return d.Err("sms takes one provider: the address of its interface, as `sms https://sms.example.com/send`, or a preset, which are twilio and aliyun")
	}
	s := new(SMS)
	app.SMS = s
	if err := block(d, "sms "+smsBlock(args[0]), s.words(args[0])); err != nil {
		return err
	}
	return atWord(word, s.checkEarly())
}

// smsBlock is how errors call the block. An address may hold a secret.
func smsBlock(provider string) string {
	if provider == "twilio" || provider == "aliyun" {
		return provider
	}
	return "ADDRESS"
}

func (s *SMS) words(provider string) words {
	known := words{"timeout": duration(&s.Timeout), "region": one(&s.Region), "limit": some(&s.Limit, "1000/1h 5000/24h")}
	switch provider {
	case "twilio":
		s.Twilio = new(notify.Twilio)
		maps.Copy(known, twilioWords(s.Twilio))
	case "aliyun":
		s.Aliyun = new(notify.Aliyun)
		maps.Copy(known, aliyunWords(s.Aliyun))
	default:
		s.HTTP = &notify.HTTPTemplate{URL: provider}
		maps.Copy(known, templateWords(s.HTTP))
	}
	return known
}

func twilioWords(t *notify.Twilio) words {
	return words{
		"account":  one(&t.Account),
		"token":    one(&t.Token),
		"from":     one(&t.From),
		"endpoint": one(&t.Endpoint),
	}
}

func aliyunWords(a *notify.Aliyun) words {
	return words{
		"access_key_id":        one(&a.AccessKeyID),
		"access_key_secret":    one(&a.AccessKeySecret),
		"sign_name":            one(&a.SignName),
		"template_code":        one(&a.TemplateCode),
		"notice_template_code": one(&a.NoticeTemplateCode),
		"endpoint":             one(&a.Endpoint),
	}
}

// templateWords are:
//
//	method  POST
//	header  NAME VALUE
//	body    TEXT
//	success status CODE…
//	success json POINTER VALUE
func templateWords(t *notify.HTTPTemplate) words {
	return words{
		"method":  one(&t.Method),
		"header":  func(d *caddyfile.Dispenser) error { return parseSMSHeader(d, t) },
		"body":    one(&t.Body),
		"success": func(d *caddyfile.Dispenser) error { return parseSMSSuccess(d, &t.Success) },
	}
}

func parseSMSHeader(d *caddyfile.Dispenser, t *notify.HTTPTemplate) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("header takes a name and a value, as `header Authorization \"Bearer {env.SMS_TOKEN}\"`; quote a value with blanks")
	}
	if t.Headers == nil {
		t.Headers = make(map[string]string)
	}
	if _, taken := t.Headers[args[0]]; taken {
		return d.Errf("header %s stands twice; keep one", args[0])
	}
	t.Headers[args[0]] = args[1]
	return nil
}

func parseSMSSuccess(d *caddyfile.Dispenser, s *notify.Success) error {
	args := d.RemainingArgs()
	switch {
	case len(args) > 1 && args[0] == "status":
		return parseSMSStatus(d, s, args[1:])
	case len(args) == 3 && args[0] == "json":
		if s.JSON == nil {
			s.JSON = make(map[string]string)
		}
		if _, taken := s.JSON[args[1]]; taken {
			return d.Errf("success json %s stands twice; keep one", args[1])
		}
		s.JSON[args[1]] = args[2]
		return nil
	}
	return d.Err("success takes `status CODE…` or `json POINTER VALUE`, as `success status 200 202` or `success json /status accepted`")
}

func parseSMSStatus(d *caddyfile.Dispenser, s *notify.Success, codes []string) error {
	for _, text := range codes {
		code, err := strconv.Atoi(text)
		if err != nil {
			return d.Errf("success status takes numbers, as `success status 200 202`, not %q", text)
		}
		s.Status = append(s.Status, code)
	}
	return nil
}
