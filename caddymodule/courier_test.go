package caddymodule

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stepgate/stepgate/notify"
)

// smsProvider is one on this machine, and the lines that name it.
func smsProvider(t *testing.T) (lines string, came chan map[string]string) {
	came = make(chan map[string]string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sms := map[string]string{"token": r.Header.Get("Authorization")}
		if err := json.Unmarshal(body, &sms); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		came <- sms
	}))
	t.Cleanup(server.Close)
	return "sms " + server.URL + " {\nheader Authorization \"Bearer {env.STEPGATE_SMS}\"\n" +
		"body `{\"to\":\"{sms.number}\",\"text\":\"{sms.text}\",\"key\":\"{env.STEPGATE_SMS}\"}`\n%s\n}", came
}

// running is the app that runs.
func running(t *testing.T) *App {
	t.Helper()
	a, err := caddy.ActiveContext().App("stepgate")
	if err != nil {
		t.Fatal(err)
	}
	return a.(*App)
}

func mustCome(t *testing.T, came chan map[string]string, want string) map[string]string {
	t.Helper()
	select {
	case sms := <-came:
		if sms["text"] != want {
			t.Errorf("%v came", sms)
		}
		return sms
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", want)
		return nil
	}
}

// What is configured is sent, and a reload neither loses a message nor changes
// the courier whose settings stay the same.
func TestCourierOutlivesReload(t *testing.T) {
	g := newGate(t)
	const secret = `to"ken\` // it has to stay one value
	t.Setenv("STEPGATE_SMS", secret)
	lines, came := smsProvider(t)
	send := func(c *notify.Courier, text string) {
		t.Helper()
		if err := c.Send(t.Context(), notify.Message{Channel: notify.SMS, To: "+491701234567", Text: text, Code: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	if running(t).courier.Has(notify.SMS) {
		t.Error("nothing is configured")
	}
	g.mustLoad(strings.Replace(lines, "%s", "", 1))
	first := running(t).courier
	before := counted(t, "sms", "sent")
	send(first, "one")
	if sms := mustCome(t, came, "one"); sms["token"] != "Bearer "+secret || sms["key"] != secret || sms["to"] != "+491701234567" {
		t.Errorf("%v came", sms)
	}
	g.mustLoad(strings.Replace(lines, "%s", "", 1) + "\nbrand Other")
	if running(t).courier != first {
		t.Error("the same settings have another courier")
	}
	send(first, "two")
	mustCome(t, came, "two")
	send(first, "three") // and goes while the reload ends this courier
	g.mustLoad(strings.Replace(lines, "%s", "timeout 3s", 1))
	mustCome(t, came, "three")
	if running(t).courier == first || first.Send(t.Context(), notify.Message{Channel: notify.SMS, To: "+491701234567", Code: "1"}) == nil {
		t.Error("other settings have the same courier")
	}
	send(running(t).courier, "four")
	mustCome(t, came, "four")
	g.stop()
	if got := counted(t, "sms", "sent") - before; got != 4 {
		t.Errorf("%v were counted", got)
	}
}

func counted(t *testing.T, channel, outcome string) (n float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(messages)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); labels[0].GetValue() == channel && labels[1].GetValue() == outcome {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
