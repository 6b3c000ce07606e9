//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// parallel is how many submissions are sent at once.
const parallel = 200

// TestNodesRace: what may happen once happens once, whichever nodes are asked at the same time.
func TestNodesRace(t *testing.T) {
	n := StartNodes(t, 3)
	t.Run("one code in one browser", func(t *testing.T) { oneBrowser(t, n) })
	t.Run("one code in many browsers", func(t *testing.T) { manyBrowsers(t, n) })
	t.Run("binding in one browser", func(t *testing.T) { bindingOnce(t, n) })
	t.Run("binding in many browsers", func(t *testing.T) { bindingMany(t, n) })
	t.Run("wrong codes", func(t *testing.T) { wrongCodes(t, n) })
}

// submission is a form that somebody sends.
type submission struct {
	who  *visitor
	form url.Values
}

// atOnce sends all submissions in parallel, to each node in turn, and returns the answers.
func (n *Nodes) atOnce(t *testing.T, all []submission) []Answer {
	t.Helper()
	answers, errs := make([]Answer, len(all)), make([]error, len(all))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, s := range all {
		done.Go(func() {
			start.Wait()
			answers[i], errs[i] = s.who.try(n.Gateways[i%len(n.Gateways)].URL, http.MethodPost, "/.stepgate/challenge", s.form)
		})
	}
	start.Done()
	done.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	return answers
}

// mustPassOnce counts who got through, and has the console's word for it: only one of the jars opens it.
func (n *Nodes) mustPassOnce(t *testing.T, all []submission, answers []Answer) {
	t.Helper()
	if through := n.through(t, all, answers); through != 1 {
		t.Errorf("%d pass", through)
	}
}

func (n *Nodes) through(t *testing.T, all []submission, answers []Answer) int {
	t.Helper()
	through, statuses := 0, map[int]int{}
	for i, a := range answers {
		statuses[a.StatusCode]++
		who := all[i].who.copy()
		for _, ck := range a.Cookies() {
			who.cookies[ck.Name] = ck.Value
		}
		if passed(a) != who.sees(n.Gateways[0].URL) {
			t.Errorf("answer %d (%s) and what the console says differ", i, a.Status)
		}
		if passed(a) {
			through++
		}
	}
	t.Logf("%d answers by status: %v", len(answers), statuses)
	return through
}

// audited counts the records of one event about a person.
func (n *Nodes) audited(t *testing.T, event, name string) int {
	t.Helper()
	var count int
	fmt.Sscan(n.Postgres.SQL(fmt.Sprintf("SELECT count(*) FROM audit WHERE event = '%s' AND name = '%s'", event, name)), &count)
	return count
}

func (n *Nodes) url(i int) string { return n.Gateways[i%len(n.Gateways)].URL }

// enrolled is somebody with an authenticator, in a browser that is not known.
func (n *Nodes) enrolled(t *testing.T, name string) *visitor {
	t.Helper()
	v := newVisitor(t, name)
	v.enroll(n.url(0), n.url(1), n.url(2))
	stranger := newVisitor(t, name)
	stranger.key = v.key
	return stranger
}

// oneBrowser submits one code 200 times for one challenge, which allows five attempts.
func oneBrowser(t *testing.T, n *Nodes) {
	v := n.enrolled(t, "one")
	v.signIn(n.url(0))
	id := v.challenge(n.url(1))
	settle()
	form := v.codes(id, 0, false)
	all := make([]submission, parallel)
	for i := range all {
		all[i] = submission{v.copy(), form}
	}
	if through := n.through(t, all, n.atOnce(t, all)); through != 1 {
		t.Errorf("%d pass", through)
	}
}

// manyBrowsers submits one code in fifty browsers, four times in each.
func manyBrowsers(t *testing.T, n *Nodes) {
	who := n.enrolled(t, "many")
	settle()
	var all []submission
	for i := range parallel / 4 {
		v := newVisitor(t, who.name)
		v.key = who.key
		v.signIn(n.url(i))
		form := v.codes(v.challenge(n.url(i+1)), 0, false)
		for range 4 {
			all = append(all, submission{v.copy(), form})
		}
	}
	n.mustPassOnce(t, all, n.atOnce(t, all))
	if passes := n.audited(t, "challenge.passed", who.name); passes != 1 {
		t.Errorf("%d passes are on record", passes)
	}
}

func bindingOnce(t *testing.T, n *Nodes) {
	v := newVisitor(t, "binder")
	v.signIn(n.url(0))
	id := v.challenge(n.url(1))
	settle()
	form := v.codes(id, 0, true)
	all := make([]submission, parallel)
	for i := range all {
		all[i] = submission{v.copy(), form}
	}
	n.mustPassOnce(t, all, n.atOnce(t, all))
	n.mustHaveOne(t, v.name)
}

// bindingMany has forty browsers, each with a key of its own, bind at once.
func bindingMany(t *testing.T, n *Nodes) {
	settle()
	var all []submission
	for i := range parallel / 5 {
		v := newVisitor(t, "crowd")
		v.signIn(n.url(i))
		form := v.codes(v.challenge(n.url(i+1)), 0, true)
		for range 5 {
			all = append(all, submission{v.copy(), form})
		}
	}
	n.mustPassOnce(t, all, n.atOnce(t, all))
	n.mustHaveOne(t, "crowd")
}

func (n *Nodes) mustHaveOne(t *testing.T, name string) {
	t.Helper()
	if bound := n.Postgres.SQL(fmt.Sprintf("SELECT count(*) FROM credentials WHERE name = '%s'", name)); bound != "1" {
		t.Errorf("%s has %s credentials", name, bound)
	}
}

// wrongCodes guesses in as many browsers as five attempts each allow 200 guesses in. Ten are compared, on all nodes
// together, and then even the right code is not looked at; the owner's own browser has a budget of its own.
func wrongCodes(t *testing.T, n *Nodes) {
	owner := newVisitor(t, "owner")
	owner.enroll(n.url(0), n.url(1), n.url(2))
	settle()
	guess := wrong(t, owner.key)
	var all []submission
	for i := range parallel / 5 {
		v := newVisitor(t, owner.name)
		v.signIn(n.url(i))
		id := v.challenge(n.url(i + 1))
		for range 5 {
			all = append(all, submission{v.copy(), url.Values{"challenge": {id}, "code": {guess}}})
		}
	}
	for _, a := range n.atOnce(t, all) {
		if passed(a) || strings.Contains(a.Text, `"owner"`) {
			t.Errorf("a wrong code: %s", a.Status)
		}
	}
	compared, locked := n.audited(t, "challenge.failed", owner.name), n.audited(t, "challenge.locked", owner.name)
	t.Logf("%d guesses: %d compared, %d locked", len(all), compared, locked)
	if compared > 10 || compared < 1 || compared+locked > len(all) {
		t.Errorf("%d guesses were compared", compared)
	}
	stranger := newVisitor(t, owner.name)
	stranger.key = owner.key
	stranger.signIn(n.url(1))
	right := stranger.codes(stranger.challenge(n.url(2)), 0, false)
	if a := stranger.send(n.url(0), http.MethodPost, "/.stepgate/challenge", right); passed(a) {
		t.Error("a stranger passes although the budget is spent")
	}
	owner.signOut(n.url(2))
	owner.pass(n.url(1), n.url(2), n.url(0), 0)
}
