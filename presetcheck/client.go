package presetcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
)

// agent is the same in all requests: some consoles bind a session to it.
const agent = "stepgate-preset-check"

// client asks the console as the gateway would: it follows no redirect and
// takes no compressed answer.
type client struct {
	http    *http.Client
	base    *url.URL
	host    string // what Host says, if not the address's
	console *firstfactor.Console
}

// newClient bounds each request, with all of its answer, by timeout.
func newClient(c *Check) *client {
	transport := &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: 256 << 10, DialContext: c.Dial}
	return &client{base: c.Base, host: c.Host, console: c.Console, http: &http.Client{
		Transport: transport, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// local is a link's path and query, if it leads to the console itself.
func (c *client) local(link string) (string, error) {
	u, err := c.base.Parse(link)
	if err != nil {
		return "", errors.New("a link that cannot be read")
	}
	if u.Host != c.base.Host && (c.host == "" || u.Host != c.host) {
		return "", fmt.Errorf("a link to another host, %s", u.Host)
	}
	return u.RequestURI(), nil
}

// request is one to the console, from a browser that has no session.
func (c *client) request(ctx context.Context, method, target, body string) (*http.Request, error) {
	u, err := c.base.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%s is no path", target)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Host, r.RemoteAddr = c.hostname(), ""
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Accept", "text/html,application/json;q=0.9,*/*;q=0.8")
	return r, nil
}

func (c *client) hostname() string {
	if c.host != "" {
		return c.host
	}
	return c.base.Host
}

// origin is what a browser on the console's own pages says it comes from.
func (c *client) origin() string { return c.base.Scheme + "://" + c.hostname() }

// send has the console answer, whole and bounded.
func (c *client) send(r *http.Request) (escrow.Answer, error) {
	res, err := c.http.Do(r)
	if err != nil {
		return escrow.Answer{}, plain(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, escrow.MaxBody+1))
	if err == nil && len(body) > escrow.MaxBody {
		err = escrow.ErrTooLarge
	}
	return escrow.Answer{Status: res.StatusCode, Header: res.Header, Body: body}, err
}

// plain is a fault without the address, whose query may hold a token, and
// without the line of an answer that could not be read.
func plain(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if strings.Contains(err.Error(), "malformed") {
		return errors.New("the answer is no HTTP")
	}
	return err
}

// get asks for a page with these credentials and cookies, and nothing else.
func (c *client) get(ctx context.Context, target string, with []firstfactor.Credential) (escrow.Answer, error) {
	r, err := c.request(ctx, http.MethodGet, target, "")
	if err != nil {
		return escrow.Answer{}, err
	}
	c.carry(r.Header, with)
	return c.send(r)
}

// probe is get as the gateway asks a probe.
func (c *client) probe(ctx context.Context, path string, with []firstfactor.Credential) (escrow.Answer, error) {
	r, err := c.request(ctx, http.MethodGet, path, "")
	if err != nil {
		return escrow.Answer{}, err
	}
	r.Header.Set("Accept", "application/json, */*")
	c.carry(r.Header, with)
	return c.send(r)
}

// stranger is a probe that leaves the credentials out.
func (c *client) stranger(ctx context.Context, path string, _ []firstfactor.Credential) (escrow.Answer, error) {
	return c.probe(ctx, path, nil)
}

func (c *client) carry(h http.Header, with []firstfactor.Credential) {
	for _, one := range with {
		c.console.Present(h, one)
	}
}

// jar keeps the cookies that make the console know nobody.
type jar struct {
	console *firstfactor.Console
	cookies []firstfactor.Credential
}

func (j *jar) take(h http.Header, now time.Time) {
	for _, set := range (&http.Response{Header: h}).Cookies() {
		if j.console.IsSession(set.Name) {
			continue
		}
		j.remove(set.Name)
		past := set.MaxAge < 0 || set.MaxAge == 0 && !set.Expires.IsZero() && set.Expires.Before(now)
		if !past && set.Value != "" {
			j.cookies = append(j.cookies, firstfactor.Credential{Cookie: set.Name, Value: set.Value})
		}
	}
}

func (j *jar) remove(name string) {
	kept := j.cookies[:0]
	for _, c := range j.cookies {
		if c.Cookie != name {
			kept = append(kept, c)
		}
	}
	j.cookies = kept
}

func (j *jar) names() (names []string) {
	for _, c := range j.cookies {
		names = append(names, c.Cookie)
	}
	return names
}
