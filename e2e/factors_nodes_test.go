//go:build e2e

package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"
)

// TestFactorsNodes races over three nodes, with what may pass once, and ends sessions on the security page.
func TestFactorsNodes(t *testing.T) {
	t.Parallel()
	texts := StartProvider(t)
	n := StartNodes(t, 3, "factors totp passkey sms recovery", texts.Lines())
	const number = "+8613812345690"
	texter := newVisitor(t, "texter")
	texter.bindNumber(n, texts, number)
	bound := time.Now()
	t.Run("one recovery code", func(t *testing.T) { oneRecoveryCode(t, n) })
	t.Run("one TOTP step", func(t *testing.T) { oneStep(t, n) })
	t.Run("a session ended elsewhere", func(t *testing.T) { endedElsewhere(t, n) })
	t.Run("one SMS code", func(t *testing.T) {
		minuteAfter(bound)
		oneSMSCode(t, n, texter, texts, number)
	})
}

// does sends a form of the challenge's page of a factor.
func (v *visitor) does(base, factor string, form url.Values) Answer {
	v.t.Helper()
	return v.doesAt(base, "/.stepgate/challenge?factor="+factor, form)
}

func (v *visitor) doesAt(base, at string, form url.Values) Answer {
	v.t.Helper()
	form.Set("challenge", v.challengeOf(base, at))
	return v.send(base, http.MethodPost, at, form)
}

func (v *visitor) challengeOf(base, at string) string {
	v.t.Helper()
	page := v.send(base, http.MethodGet, at, nil)
	found := challengePattern.FindStringSubmatch(page.Text)
	if found == nil {
		v.t.Fatalf("no challenge at %s: %s\n%s", at, page.Status, page.Text)
	}
	return found[1]
}

// bindNumber signs in for the first time and makes a number the factor.
func (v *visitor) bindNumber(n *Nodes, texts *Provider, number string) {
	v.t.Helper()
	v.signIn(n.url(0))
	v.does(n.url(1), "sms", url.Values{"address": {number}})
	v.does(n.url(2), "sms", url.Values{"code": {texts.Code(v.t, number)}})
	v.mustPass(v.does(n.url(0), "sms", url.Values{"do": {"enable"}}))
}

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// secures sends a form of the security page.
func (v *visitor) secures(base, page, to string, form url.Values) Answer {
	v.t.Helper()
	a := v.send(base, http.MethodGet, "/.stepgate/security"+page, nil)
	found := formToken.FindStringSubmatch(a.Text)
	if found == nil {
		v.t.Fatalf("no form at %s: %s %s\n%s", page, a.Status, a.Header.Get("Location"), a.Text)
	}
	form.Set("token", html.UnescapeString(found[1]))
	return v.send(base, http.MethodPost, "/.stepgate/security"+to, form)
}

// uses are 100 uses of one code at once, over all nodes, by as many visitors as there are: how many got through, by the
// console's own word.
func uses(t *testing.T, n *Nodes, at string, all []submission) (through int) {
	t.Helper()
	answers := make([]Answer, 100)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range answers {
		s := all[i%len(all)]
		done.Go(func() {
			start.Wait()
			answers[i], _ = s.who.try(n.url(i), http.MethodPost, at, s.form)
		})
	}
	start.Done()
	done.Wait()
	statuses := map[int]int{}
	for i, a := range answers {
		if a.Response == nil {
			t.Errorf("use %d got no answer", i)
			continue
		}
		statuses[a.StatusCode]++
		who := all[i%len(all)].who.copy()
		for _, ck := range a.Cookies() {
			who.cookies[ck.Name] = ck.Value
		}
		if a.StatusCode == http.StatusSeeOther && who.sees(n.url(i+1)) {
			through++
		}
	}
	t.Logf("answers by status: %v", statuses)
	return through
}

// strangers are people of one name, each in a browser that is not known, who stand before a challenge with a form.
func strangers(t *testing.T, n *Nodes, name, at string, count int, form func(*visitor) url.Values) (all []submission) {
	t.Helper()
	for i := range count {
		v := newVisitor(t, name)
		v.signIn(n.url(i))
		id := v.challengeOf(n.url(i+1), at)
		s := submission{v, form(v)}
		s.form.Set("challenge", id)
		all = append(all, s)
	}
	return all
}

func oneRecoveryCode(t *testing.T, n *Nodes) {
	v := newVisitor(t, "reader")
	v.enroll(n.url(0), n.url(1), n.url(2))
	made := v.secures(n.url(1), "/codes", "/codes", url.Values{})
	codes := writtenCode.FindAllString(made.Text, -1)
	if len(codes) < 10 {
		t.Fatalf("there are no codes: %s\n%s", made.Status, made.Text)
	}
	const at = "/.stepgate/challenge?factor=recovery"
	all := strangers(t, n, "reader", at, 20, func(*visitor) url.Values { return url.Values{"code": {codes[0]}} })
	if through := uses(t, n, at, all); through != 1 {
		t.Errorf("%d pass with one recovery code", through)
	}
	if passes := n.audited(t, "recovery.used", "reader"); passes != 1 {
		t.Errorf("%d uses are on record", passes)
	}
}

func oneStep(t *testing.T, n *Nodes) {
	owner := newVisitor(t, "stepper")
	owner.enroll(n.url(0), n.url(1), n.url(2))
	const at = "/.stepgate/challenge?factor=totp"
	settle()
	code := Oathtool(t, owner.key, time.Now())
	all := strangers(t, n, "stepper", at, 20, func(*visitor) url.Values { return url.Values{"code": {code}} })
	if through := uses(t, n, at, all); through != 1 {
		t.Errorf("%d pass with one step", through)
	}
}

// oneSMSCode uses a code in the one challenge that it was sent for.
func oneSMSCode(t *testing.T, n *Nodes, texter *visitor, texts *Provider, number string) {
	texter.signOut(n.url(1))
	texter.signIn(n.url(2))
	texter.does(n.url(0), "sms", url.Values{"do": {"send"}})
	const at = "/.stepgate/challenge?factor=sms"
	form := url.Values{"challenge": {texter.challengeOf(n.url(1), at)}, "code": {texts.Code(t, number)}}
	if through := uses(t, n, at, []submission{{texter.copy(), form}}); through != 1 {
		t.Errorf("%d pass with one SMS", through)
	}
}

var endsSession = regexp.MustCompile(`formaction="/\.stepgate/security/session/end" name="id" value="([^"]+)"`)

// endedElsewhere ends another browser's session on the security page of one node; a second later it is worth nothing on
// the others, which had it near.
func endedElsewhere(t *testing.T, n *Nodes) {
	here := newVisitor(t, "owner")
	here.enroll(n.url(0), n.url(1), n.url(2))
	there := newVisitor(t, "owner")
	there.key = here.key
	there.pass(n.url(1), n.url(2), n.url(0), 0)
	for i := range 3 {
		there.mustSee(n.url(i))
	}
	page := here.send(n.url(0), http.MethodGet, "/.stepgate/security/sessions", nil)
	found := endsSession.FindStringSubmatch(page.Text)
	if found == nil {
		t.Fatalf("no session to end: %s\n%s", page.Status, page.Text)
	}
	here.secures(n.url(0), "/sessions", "/session/end", url.Values{"id": {html.UnescapeString(found[1])}})
	began := time.Now()
	for i := range 3 {
		for there.sees(n.url(i)) {
			if time.Since(began) > 5*time.Second {
				t.Fatalf("node %d still knows the session", i)
			}
		}
	}
	took := time.Since(began)
	t.Logf("worthless everywhere %v after the answer", took)
	if took > time.Second {
		t.Errorf("it took %v", took)
	}
	for i := range 3 {
		here.mustSee(n.url(i))
	}
	if ended := n.audited(t, "session.ended", "owner"); ended != 1 {
		t.Errorf("%s", fmt.Sprint(ended, " ends are on record"))
	}
}
