package gateway

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/match"
	"github.com/stepgate/stepgate/policy"
)

func isMalformed(err error) bool {
	return errors.Is(err, match.ErrMalformed) || errors.Is(err, firstfactor.ErrLogin)
}

func (g *Gateway) observing() bool {
	return !g.site.Observe.IsZero() && g.svc.Now().Before(g.site.Observe)
}

// observe decides and logs, and lets everything pass as it came: what an
// operator turns on first, to see whether logins are understood.
func (g *Gateway) observe(v *visit) error {
	facts, err := g.facts(v)
	g.site.Console.RemoveOurs(v.Header)
	d := policy.Decide(facts)
	if err != nil {
		g.log.Warn("observing: would refuse", "site", g.site.Name, "error", err)
		return v.next(v.w, v.Request.Request)
	}
	g.meter.Decided(d.Outcome)
	level := slog.LevelDebug
	if d.Outcome == policy.Deny {
		level = slog.LevelWarn // what nobody may send, and somebody sends
	}
	g.log.Log(v.Context(), level, "observing", "site", g.site.Name, "outcome", d.Outcome.String(), "reasons", d.Reasons, "path", v.URL.Path)
	if d.Outcome != policy.Watch {
		return v.next(v.w, v.Request.Request)
	}
	return g.observeLogin(v)
}

// observeLogin judges a login's answer and sends it all the same.
func (g *Gateway) observeLogin(v *visit) error {
	if v.attempt.Basic != "" {
		return g.observeBasic(v)
	}
	v.Header.Del("Accept-Encoding")
	c := &witness{ResponseWriter: v.w, seen: escrow.NewCapture(nil)}
	if err := v.next(c, v.Request.Request); err != nil {
		return err
	}
	held, err := c.seen.Answer()
	if err != nil {
		g.log.Info("observing: a login", "site", g.site.Name, "outcome", "unclear", "differs", err)
		return nil
	}
	ctx, cancel := detached(v.Request.Request, loginTimeout)
	defer cancel()
	verdict := g.site.Console.Judge(ctx, g.site.Realm, v.attempt, held, g.prober(v), g.svc.Now())
	g.meter.LoginJudged(verdict.Outcome)
	g.log.Info("observing: a login", "site", g.site.Name, "outcome", verdict.Outcome.String(),
		"subject", verdict.Identity.Subject().String(), "differs", verdict.Differs)
	return nil
}

// witness lets an answer pass and keeps a copy of it, as far as one is held.
type witness struct {
	http.ResponseWriter
	seen *escrow.Capture
}

// WriteHeader implements http.ResponseWriter.
func (w *witness) WriteHeader(status int) {
	clear(w.seen.Header())
	maps.Copy(w.seen.Header(), w.Header())
	w.seen.WriteHeader(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *witness) Write(b []byte) (int, error) {
	if w.seen.Status() == 0 {
		w.WriteHeader(http.StatusOK)
	}
	_, _ = w.seen.Write(b) // it takes everything
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// bypass forwards what the operator excepted, as it came, and audits it.
func (g *Gateway) bypass(v *visit, d policy.Decision) error {
	if err := g.recordOnce(v, audit.BypassUsed, d.Reasons[0].Detail, "", d.Reasons...); err != nil {
		return g.fault(v, err)
	}
	g.site.Console.RemoveOurs(v.Header)
	return v.next(v.w, v.Request.Request)
}
