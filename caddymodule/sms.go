package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/notify"
)

// SMS is how SMS to people go out; exactly one of the ways is set.
type SMS struct {
	// HTTP describes the request that a provider wants.
	HTTP *notify.HTTPTemplate `json:"http,omitempty"`
	// Twilio is a preset.
	Twilio *notify.Twilio `json:"twilio,omitempty"`
	// Aliyun is a preset, whose requests are signed.
	Aliyun *notify.Aliyun `json:"aliyun,omitempty"`
	// Region is the country, as CN, whose numbers people may type without its
	// code. Default: none; every number begins with + and its country code.
	Region string `json:"region,omitempty"`
	// Limit is how many codes go out by SMS to everybody together, each as
	// COUNT/PERIOD. Default: 1000/1h 5000/24h.
	Limit []string `json:"limit,omitempty"`
	// Timeout of one try; an SMS that the provider certainly does not have is
	// tried once more. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// smsCarrier is one way, as its package has it.
type smsCarrier interface {
	notify.Carrier
	Validate() error
}

// ways are those that are set.
func (s *SMS) ways() (set []smsCarrier) {
	if s.HTTP != nil {
		set = append(set, s.HTTP)
	}
	if s.Twilio != nil {
		set = append(set, s.Twilio)
	}
	if s.Aliyun != nil {
		set = append(set, s.Aliyun)
	}
	return set
}

func (s *SMS) check() error {
	if s == nil {
		return nil
	}
	ways := s.ways()
	if len(ways) != 1 {
		return errors.New("sms: say one provider: its address, twilio or aliyun")
	}
	return errors.Join(ways[0].Validate(), s.checkOwn())
}

// checkOwn looks at what is no provider's business.
func (s *SMS) checkOwn() error {
	_, err := s.rates()
	return errors.Join(checkTimeout(s.Timeout), checkRegion(s.Region), err)
}

// rates bound what all SMS can cost; none where nothing is said.
func (s *SMS) rates() (all []limits.Rate, err error) {
	if s == nil {
		return nil, nil
	}
	for _, word := range s.Limit {
		count, period, _ := strings.Cut(word, "/")
		n, wrong := strconv.Atoi(count)
		long, odd := caddy.ParseDuration(period)
		if wrong != nil || odd != nil || n < 1 || n > 1_000_000 || long < time.Minute || long > longest {
			return nil, fmt.Errorf("limit: %q is not how many codes may go out in what time; write a count up to 1000000 and 1m to 30d, as `limit 1000/1h 5000/24h`", word)
		}
		all = append(all, limits.Rate{Count: n, Period: long})
	}
	return all, nil
}

func checkRegion(region string) error {
	if region == "" || contacts.Region(region) {
		return nil
	}
	return fmt.Errorf("region: %q is no country; write two capital letters (ISO 3166), as `region CN`", region)
}

// region is whose numbers need no country code, "" if there is none.
func (s *SMS) region() string {
	if s == nil {
		return ""
	}
	return s.Region
}

// checkEarly is check for a Caddyfile: what stands in a placeholder is looked at
// when the configuration is loaded.
func (s *SMS) checkEarly() error {
	if s.HTTP != nil && placeheld(s.HTTP.URL) || s.Twilio != nil && placeheld(s.Twilio.Endpoint, s.Twilio.Account) ||
		s.Aliyun != nil && placeheld(s.Aliyun.Endpoint) {
		return s.checkOwn()
	}
	return s.check()
}

func (s *SMS) carrier() notify.Carrier {
	if s == nil {
		return nil
	}
	return s.ways()[0]
}

// filled returns a copy with what {env.X} and {file.X} stand for.
func (s *SMS) filled(by *caddy.Replacer) (*SMS, error) {
	if s == nil {
		return nil, nil
	}
	c := *s
	var err error
	if t := s.HTTP; t != nil {
		c.HTTP, err = filledTemplate(by, *t)
	}
	if s.Twilio != nil {
		t := *s.Twilio
		c.Twilio = &t
		err = errors.Join(err, fill(by, []value{{"account", &t.Account}, {"from", &t.From}, {"endpoint", &t.Endpoint}}),
			fillSecrets(by, []value{{"token", &t.Token}}))
	}
	if s.Aliyun != nil {
		a := *s.Aliyun
		c.Aliyun = &a
		err = errors.Join(err, fill(by, []value{{"access_key_id", &a.AccessKeyID}, {"sign_name", &a.SignName}, {"endpoint", &a.Endpoint},
			{"template_code", &a.TemplateCode}, {"notice_template_code", &a.NoticeTemplateCode}}),
			fillSecrets(by, []value{{"access_key_secret", &a.AccessKeySecret}}))
	}
	return &c, err
}

// filledTemplate writes values into a body and a query as their kind wants it: a
// token with a quotation mark stays one value.
func filledTemplate(by *caddy.Replacer, t notify.HTTPTemplate) (*notify.HTTPTemplate, error) {
	at, query, queried := strings.Cut(t.URL, "?")
	t.Headers = maps.Clone(t.Headers)
	errs := []error{fillWithin(by, "sms", &at, asItIs), fillWithin(by, "sms", &query, url.QueryEscape)}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		text := t.Headers[name]
		errs = append(errs, fillWithin(by, "header", &text, asItIs))
		t.Headers[name] = text
	}
	errs = append(errs, fillWithin(by, "body", &t.Body, t.Escape))
	if t.URL = at; queried {
		t.URL += "?" + query
	}
	return &t, errors.Join(errs...)
}

func asItIs(s string) string { return s }

// inText is a placeholder of Caddy's among others, and among braces.
var inText = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

func placeheld(texts ...string) bool { return slices.ContainsFunc(texts, inText.MatchString) }

// fillWithin is fillSecrets for a text that has braces of its own.
func fillWithin(by *caddy.Replacer, word string, text *string, escape func(string) string) (err error) {
	*text = inText.ReplaceAllStringFunc(*text, func(match string) string {
		err = errors.Join(err, fillSecrets(by, []value{{word, &match}}))
		return escape(match)
	})
	return err
}
