package caddymodule

import (
	"encoding/json"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stepgate/stepgate/notify"
)

// openCourier has what carries mails and SMS live as long as its settings do:
// what waits in its queues goes out, whatever else is reloaded.
func (a *App) openCourier() error {
	settings, err := json.Marshal(struct {
		Mail *Mail
		SMS  *SMS
	}{a.Mail, a.SMS})
	if err != nil {
		return err
	}
	a.courier, err = hold(a, "courier "+digest(string(settings)), func() (*notify.Courier, error) {
		return notify.New(a.courierOptions()), nil
	})
	return err
}

func (a *App) courierOptions() notify.Options {
	o := notify.Options{Mail: a.Mail.carrier(), SMS: a.SMS.carrier(), Log: newCurrentLog(), Meter: courierMeter{}}
	if a.Mail != nil {
		o.MailTimeout = time.Duration(a.Mail.Timeout)
	}
	if a.SMS != nil {
		o.SMSTimeout = time.Duration(a.SMS.Timeout)
	}
	return o
}

// checkMessages finds what is wrong with the ways to reach people.
func (a *App) checkMessages() error {
	if err := a.Mail.check(); err != nil {
		return err
	}
	return a.SMS.check()
}

var messages = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "stepgate_messages_total", Help: "Mails and SMS, by what became of them."}, []string{"channel", "outcome"})

type courierMeter struct{}

// Notified implements notify.Meter.
func (courierMeter) Notified(ch notify.Channel, outcome string) {
	messages.WithLabelValues(string(ch), outcome).Inc()
}
