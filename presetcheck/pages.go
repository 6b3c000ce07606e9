package presetcheck

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
)

// door is a page that shows more to a person than to strangers.
type door struct {
	target string
	status int
	marker string // stands on the page for the person alone; "" where the status tells
	body   []byte // as the person gets it
}

// opens tells whether an answer is the person's.
func (d *door) opens(a escrow.Answer) bool {
	return a.Status == d.status && strings.Contains(string(a.Body), d.marker)
}

// probes asks each probe as the person and as a stranger.
func (r *run) probes(ctx context.Context, done *login) {
	rule := done.attempt.Rule
	asked := make(map[string]bool)
	for _, path := range []string{rule.Success.Probe, rule.Failure.Probe, r.Console.Subject.Probe} {
		if path == "" || asked[path] {
			continue
		}
		asked[path] = true
		person, err := r.client.probe(ctx, path, done.person())
		if err != nil {
			r.wrong("the probe %s is not answered: %v", path, err)
			continue
		}
		stranger, _ := r.client.stranger(ctx, path, nil)
		r.say("probe %s: answers the person %d, strangers %d", path, person.Status, stranger.Status)
		if path == rule.Success.Probe && stranger.Status == http.StatusOK {
			r.wrong("the probe %s answers 200 to strangers too and proves nothing: choose an address that does not", path)
		}
	}
}

// pages finds a protected page, and what opens it. It is nil if there is none.
func (r *run) pages(ctx context.Context, done *login) *door {
	r.part("A page that only the person may see")
	d, ok := r.door(ctx, done)
	if !ok {
		return nil
	}
	r.openedBy(ctx, d, done)
	return d
}

// candidates are pages to look at: the one that was named, or those that the
// console itself speaks of.
func (r *run) candidates(done *login) (pages []string) {
	if r.Page != "" {
		return []string{r.Page}
	}
	if at, err := r.client.local(done.answer.Header.Get("Location")); err == nil && done.answer.Header.Get("Location") != "" {
		pages = append(pages, at)
	}
	pages = append(pages, "/")
	for _, probe := range []string{r.Console.Subject.Probe, done.attempt.Rule.Success.Probe} {
		if probe != "" {
			pages = append(pages, probe)
		}
	}
	return pages
}

func (r *run) door(ctx context.Context, done *login) (*door, bool) {
	for _, target := range r.candidates(done) {
		person, err := r.client.get(ctx, target, done.all())
		if err != nil || person.Status != http.StatusOK {
			continue
		}
		stranger, err := r.client.get(ctx, target, nil)
		if err != nil {
			continue
		}
		d := &door{target: target, status: person.Status, body: person.Body}
		if stranger.Status == person.Status {
			d.marker = cmp.Or(r.Subject, r.Name)
		}
		if d.opens(person) && !d.opens(stranger) {
			path, _, _ := strings.Cut(target, "?")
			r.say("GET %s answers the person %d, strangers %d", path, person.Status, stranger.Status)
			r.renewed(ctx, person)
			return d, true
		}
	}
	r.unclear("no page was found that the person may see and strangers may not: name one with --page")
	return nil, false
}

// renewed looks at what an ordinary page does to the session.
func (r *run) renewed(ctx context.Context, person escrow.Answer) {
	changes := r.Console.Changes(person.Header, time.Now())
	r.hideAll(changes.Set)
	if changes.End() {
		r.wrong("an ordinary page deletes %s, which the gateway takes for a sign-out: leave it out of session_cookies if the console knows the person without it", strings.Join(changes.Deleted, ", "))
	}
	if len(changes.Set) == 0 || r.Console.Rolling {
		return
	}
	id, ok := r.Console.Identify(ctx, realm, person.Header, r.client.probe, time.Now())
	switch {
	case !ok:
		r.wrong("an ordinary page sets %s anew and names nobody, which the gateway takes for a change of person: say `rolling`, or a `subject` that the cookie itself names", strings.Join(cookieNames(changes.Set), ", "))
	case id.Subject().Name != r.Subject:
		r.wrong("an ordinary page names another person than the login: look at `subject`")
	default:
		r.say("the page sets %s anew, for the same person", strings.Join(cookieNames(changes.Set), ", "))
	}
}

// openedBy tries the page with the session credentials alone, and without.
func (r *run) openedBy(ctx context.Context, d *door, done *login) {
	if r.opened(ctx, d, done.person()) {
		r.say("the session credentials alone open it")
	} else if len(done.person()) > 0 {
		r.unclear("the session credentials alone do not open the page; with %s they do: probes are asked without, and each of these must say nothing of the person by itself", strings.Join(done.jar.names(), ", "))
	}
	if len(done.jar.cookies) == 0 || !r.opened(ctx, d, done.jar.cookies) {
		r.say("nothing opens it without them")
		return
	}
	for _, one := range done.jar.cookies {
		if r.opened(ctx, d, []firstfactor.Credential{one}) {
			r.wrong("the cookie %s alone opens the page and would reach browsers in the clear: name it in session_cookies", one.Cookie)
			return
		}
	}
	r.wrong("cookies that session_cookies does not name open the page: name those of %s that make the console know the person", strings.Join(done.jar.names(), ", "))
}

func (r *run) opened(ctx context.Context, d *door, with []firstfactor.Credential) bool {
	a, err := r.client.get(ctx, d.target, with)
	return err == nil && d.opens(a)
}
