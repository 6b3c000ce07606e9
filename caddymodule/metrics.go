package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/policy"
)

// The counters are the process's, since Caddy makes a new registry for each
// configuration and a counter must not fall back to zero on a reload.
var (
	decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stepgate_decisions_total", Help: "Decisions about requests and logins, by outcome."}, []string{"site", "outcome"})
	logins = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stepgate_logins_total", Help: "Logins to the console as judged; unclear ones mean that a preset no longer fits."}, []string{"site", "outcome"})
)

type meters struct{}

func newMeters(registry *prometheus.Registry) (*meters, error) {
	for _, c := range []prometheus.Collector{decisions, logins, messages} {
		if err := registry.Register(c); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return nil, err
		}
	}
	return &meters{}, nil
}

// siteMeter has its counters looked up beforehand: it is on the way of every
// request.
type siteMeter struct {
	decided [policy.Bypass + 1]prometheus.Counter
	judged  [firstfactor.Success + 1]prometheus.Counter
}

func (*meters) site(name string) *siteMeter {
	m := new(siteMeter)
	for o := range m.decided {
		m.decided[o] = decisions.WithLabelValues(name, policy.Outcome(o).String())
	}
	for o := range m.judged {
		m.judged[o] = logins.WithLabelValues(name, firstfactor.Outcome(o).String())
	}
	return m
}

// Decided implements gateway.Meter.
func (m *siteMeter) Decided(o policy.Outcome) { m.decided[o].Inc() }

// LoginJudged implements gateway.Meter.
func (m *siteMeter) LoginJudged(o firstfactor.Outcome) { m.judged[o].Inc() }
