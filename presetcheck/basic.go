package presetcheck

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
)

// basicLogin proves Basic credentials (RFC 7617) as the gateway does: by the
// probe alone.
func (r *run) basicLogin(ctx context.Context, password string) (*login, bool) {
	attempt, err := r.basicAttempt(ctx, password)
	if err != nil {
		r.wrong("the login cannot be made up: %v", err)
		return nil, false
	}
	probe := attempt.Rule.Success.Probe
	r.say("GET %s with Basic credentials", probe)
	a, err := r.client.probe(ctx, probe, []firstfactor.Credential{{Value: attempt.Basic, Basic: true}})
	if err != nil {
		r.wrong("the probe %s is not answered: %v", probe, err)
		return nil, false
	}
	done := &login{attempt: attempt, answer: a, jar: jar{console: r.Console}}
	done.verdict = r.Console.JudgeBasic(ctx, realm, attempt, a, r.client.probe, time.Now())
	r.finish(ctx, done)
	return done, true
}

// basicAttempt is the credentials as the gateway reads them.
func (r *run) basicAttempt(ctx context.Context, password string) (*firstfactor.Attempt, error) {
	value := base64.StdEncoding.EncodeToString([]byte(r.Name + ":" + password))
	method, target := address(r.Console.Logins[r.Rule].Match, http.MethodGet)
	request, err := r.client.request(ctx, method, target, "")
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Basic "+value)
	q, err := match.Read(request, nil)
	if err != nil {
		return nil, err
	}
	attempt, err := r.Console.Basic(q, func(string) bool { return false })
	if err == nil && attempt == nil {
		err = errors.New("the gateway takes no Basic credentials at the login's own path")
	}
	return attempt, err
}
