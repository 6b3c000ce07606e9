package templates

import (
	"encoding/json"
	"slices"
	"time"
)

// factorSamples are the pages of a challenge that samples.go does not have.
func factorSamples(now time.Time) []Sample {
	all := append(proofSamples(now), sentSamples(now)...)
	all = append(all, helpSamples(now)...)
	return append(all, bindSamples(now)...)
}

const sampleID = "Q2hhbGxlbmdlT2ZTYW1wbGU"

const oddName = "\"'><script>alert(1)</script>\u202e&{n} " + longName

func sampleOf(name string, v View) Sample {
	return Sample{name, Frame{Subject: "lin.wei", Reference: "7KQ4-M2XP"}, v}
}

// asked is a challenge at sign-in of somebody who has several factors.
func asked(m Message) Asking {
	return Asking{ID: sampleID, Purpose: "login", Message: m, Stuck: true, Trust: 30 * 24 * time.Hour, Ways: []FactorWay{
		{"totp", "Work phone"}, {"sms", "+86 138****8000"}, {"email", "l***i@example.com"}, {"recovery", ""},
	}}
}

// but leaves out the way that the page itself is about.
func but(factor string, a Asking) Asking {
	a.Ways = slices.DeleteFunc(slices.Clone(a.Ways), func(w FactorWay) bool { return w.Factor == factor })
	return a
}

func inside(purpose string) Asking {
	a := asked(Message{})
	a.Purpose, a.Trust, a.Stuck = purpose, 0, false
	return a
}

func lockedUntil(t time.Time) Asking {
	a := asked(Message{})
	a.LockedUntil = t
	return a
}

var (
	sampleGet    = json.RawMessage(`{"challenge":"3q2-7w","rpId":"example.com","allowCredentials":[{"type":"public-key","id":"3q2-7w"}],"userVerification":"required","timeout":300000}`)
	sampleCreate = json.RawMessage(`{"challenge":"3q2-7w","rp":{"id":"example.com","name":"Example \"&<Cloud>"},"user":{"id":"3q2-7w","name":"lin.wei","displayName":"lin.wei"},"pubKeyCredParams":[{"type":"public-key","alg":-7}]}`)
)

func proofSamples(now time.Time) []Sample {
	locked := lockedUntil(now.Add(25 * time.Minute))
	only := Asking{ID: sampleID, Purpose: "login", Stuck: true}
	odd := Asking{ID: oddName, Purpose: "login", Ways: []FactorWay{{"totp", oddName}, {"passkey", oddName}}}
	return []Sample{
		sampleOf("challenge-several", Challenge{Asking: but("totp", asked(Message{})), Credential: "Work phone", BoundAt: now.AddDate(0, -1, 0)}),
		sampleOf("challenge-only", Challenge{Asking: only, Credential: "Work phone", BoundAt: now.AddDate(0, -1, 0)}),
		sampleOf("challenge-step-up", Challenge{Asking: but("totp", inside("step_up")), Credential: "Work phone", BoundAt: now.AddDate(0, -1, 0)}),
		sampleOf("passkey", PasskeyCheck{asked(Message{}), sampleGet}),
		sampleOf("passkey-step-up", PasskeyCheck{inside("step_up"), sampleGet}),
		sampleOf("passkey-refused", PasskeyCheck{asked(Message{Kind: PasskeyRefused, Left: 4}), sampleGet}),
		sampleOf("passkey-copied", PasskeyCheck{asked(Message{Kind: PasskeyCopied, Left: 4}), sampleGet}),
		sampleOf("passkey-unknown", PasskeyCheck{asked(Message{Kind: PasskeyUnknown, Left: 4}), sampleGet}),
		sampleOf("passkey-locked", PasskeyCheck{locked, sampleGet}),
		sampleOf("passkey-odd-names", PasskeyCheck{odd, json.RawMessage(`{"rpId":"` + oddName + `"}`)}),
		sampleOf("recovery", RecoveryCheck{but("recovery", asked(Message{}))}),
		sampleOf("recovery-step-up", RecoveryCheck{but("recovery", inside("step_up"))}),
		sampleOf("recovery-wrong", RecoveryCheck{but("recovery", asked(Message{Kind: RecoveryWrong, Left: 4}))}),
		sampleOf("recovery-spent", RecoveryCheck{but("recovery", asked(Message{Kind: RecoverySpent, Left: 4}))}),
		sampleOf("recovery-not-a-code", RecoveryCheck{but("recovery", asked(Message{Kind: NotACode, Left: 5}))}),
		sampleOf("recovery-locked", RecoveryCheck{locked}),
	}
}

func sentSamples(now time.Time) []Sample {
	sent := func(kind, why string, a Asking) SentCode {
		masked := map[string]string{"sms": "+86 138****8000", "email": "l***i@example.com"}[kind]
		return SentCode{Asking: but(kind, a), Kind: kind, Masked: masked, Why: why, Sent: true, ResendAt: now.Add(45 * time.Second), ExpiresAt: now.Add(10 * time.Minute)}
	}
	unsent := func(s SentCode) SentCode {
		s.Sent, s.ResendAt, s.ExpiresAt = false, time.Time{}, time.Time{}
		return s
	}
	free := func(s SentCode) SentCode {
		s.ResendAt = now.Add(-time.Second)
		return s
	}
	plain := Asking{ID: sampleID, Purpose: "login"}
	odd := Asking{ID: oddName, Ways: []FactorWay{{"totp", oddName}}}
	return []Sample{
		sampleOf("sentcode-sms", sent("sms", "pass", asked(Message{}))),
		sampleOf("sentcode-sms-ask", unsent(sent("sms", "pass", asked(Message{})))),
		sampleOf("sentcode-sms-free", free(sent("sms", "pass", asked(Message{Kind: SentWrong, Left: 3})))),
		sampleOf("sentcode-sms-gone", unsent(sent("sms", "pass", asked(Message{Kind: SentGone})))),
		sampleOf("sentcode-sms-not-sent", unsent(sent("sms", "pass", asked(Message{Kind: NotSent})))),
		sampleOf("sentcode-sms-send-later", unsent(sent("sms", "pass", asked(Message{Kind: SendLater, Until: now.Add(8 * time.Minute)})))),
		sampleOf("sentcode-sms-not-digits", sent("sms", "pass", asked(Message{Kind: NotDigits}))),
		sampleOf("sentcode-sms-locked", sent("sms", "pass", lockedUntil(now.Add(25*time.Minute)))),
		sampleOf("sentcode-sms-step-up", sent("sms", "pass", inside("step_up"))),
		sampleOf("sentcode-email", sent("email", "pass", asked(Message{}))),
		sampleOf("sentcode-email-ask", unsent(sent("email", "pass", asked(Message{})))),
		sampleOf("sentcode-sms-bind", sent("sms", "bind", inside("manage"))),
		sampleOf("sentcode-email-bind", sent("email", "bind", plain)),
		sampleOf("sentcode-sms-gate", sent("sms", "gate", plain)),
		sampleOf("sentcode-email-gate-ask", unsent(sent("email", "gate", plain))),
		sampleOf("sentcode-sms-check", sent("sms", "check", plain)),
		sampleOf("sentcode-odd-names", SentCode{Asking: odd, Kind: "sms", Masked: oddName, Why: "pass", Sent: true}),
	}
}

func helpSamples(now time.Time) []Sample {
	plain := Asking{ID: sampleID, Purpose: "login"}
	with := func(m Message) Asking { return Asking{ID: sampleID, Purpose: "login", Message: m} }
	checks := []FactorWay{{"sms", "+86 138****8000"}, {"email", "l***i@example.com"}}
	return []Sample{
		sampleOf("ticket", Ticket{plain}),
		sampleOf("ticket-stuck", Ticket{Asking{ID: sampleID, Purpose: "login", Stuck: true}}),
		sampleOf("ticket-wrong", Ticket{with(Message{Kind: TicketWrong, Left: 4})}),
		sampleOf("ticket-not-a-code", Ticket{with(Message{Kind: NotACode})}),
		sampleOf("ticket-locked", Ticket{lockedUntil(now.Add(25 * time.Minute))}),
		sampleOf("stuck", Stuck{plain, checks}),
		sampleOf("stuck-no-contacts", Stuck{plain, nil}),
		sampleOf("stuck-not-sent", Stuck{with(Message{Kind: NotSent}), checks}),
		sampleOf("stuck-filed-often", Stuck{with(Message{Kind: FiledOften, Until: now.Add(20 * time.Hour)}), checks}),
		sampleOf("stuck-filed-by-code", Stuck{with(Message{Kind: FiledByCode}), checks}),
		sampleOf("stuck-locked", Stuck{lockedUntil(now.Add(25 * time.Minute)), checks}),
		sampleOf("requestfiled", RequestFiled{plain, "R4WN-82KD", true}),
		sampleOf("requestfiled-unchecked", RequestFiled{plain, "R4WN-82KD", false}),
	}
}

func bindSamples(now time.Time) []Sample {
	plain := Asking{ID: sampleID, Purpose: "login"}
	with := func(m Message) Asking {
		return Asking{ID: sampleID, Purpose: "login", Message: m, Ways: []FactorWay{{"totp", ""}, {"passkey", ""}, {"email", ""}}}
	}
	manage := inside("manage")
	manage.Ways = []FactorWay{{"passkey", ""}, {"sms", ""}, {"email", ""}}
	enroll := enrollSamples(now)[0].View.(Enroll)
	enroll.Asking = manage
	expired := Enroll{Asking: manage, Account: "lin.wei", Expired: true}
	odd := Asking{ID: oddName}
	all := []Sample{
		sampleOf("enroll-manage", enroll),
		sampleOf("enroll-manage-expired", expired),
		sampleOf("enrollpasskey", EnrollPasskey{with(Message{}), "Chrome on Windows", sampleCreate}),
		sampleOf("enrollpasskey-manage", EnrollPasskey{inside("manage"), "Chrome on Windows", sampleCreate}),
		sampleOf("enrollpasskey-refused", EnrollPasskey{with(Message{Kind: PasskeyRefused}), "Chrome on Windows", sampleCreate}),
		sampleOf("enrollpasskey-odd-names", EnrollPasskey{odd, oddName, json.RawMessage(`{"rp":{"name":"` + oddName + `"}}`)}),
		sampleOf("enrollcontact-sms", EnrollContact{with(Message{}), "sms", ""}),
		sampleOf("enrollcontact-email", EnrollContact{but("email", inside("manage")), "email", ""}),
		sampleOf("enrollcontact-email-wrong", EnrollContact{but("email", with(Message{Kind: NotAnAddress})), "email", "lin.wei"}),
		sampleOf("enrollcontact-odd-names", EnrollContact{odd, "sms", oddName}),
		sampleOf("enrollsent-sms", EnrollSent{with(Message{}), "sms", "+86 138****8000"}),
		sampleOf("enrollsent-email", EnrollSent{plain, "email", "l***i@example.com"}),
		sampleOf("enrollsent-odd-names", EnrollSent{odd, "email", oddName}),
	}
	for _, kind := range []MessageKind{NotANumber, NotMobile, SharedContact, NotSent, SendLater} {
		all = append(all, sampleOf("enrollcontact-sms-"+string(kind), EnrollContact{with(Message{Kind: kind}), "sms", "12345"}))
	}
	return all
}
