package templates

import "time"

// securitySamples are the pages on which people manage what is their own.
func securitySamples(now time.Time) []Sample {
	all := append(ownSamples(now), changeSamples(now)...)
	codes := []string{"7KQ4-M2XP-R4WN-82KD", "A3CE-5FGH-9JKM-7NPQ", "RSTV-WXYZ-2345-6789", "BCDE-FGHJ-KMNP-QRST", "VWXY-Z234-5678-9ABC",
		"DEFG-HJKM-NPQR-STVW", "XYZ2-3456-789A-BCDE", "FGHJ-KMNP-QRST-VWXY", "Z234-5678-9ABC-DEFG", "HJKM-NPQR-STVW-XYZ2"}
	stranger := ownFactor(now, "totp", "Authenticator")
	stranger.Bound.Browser = samplePhone
	odd := ownFactor(now, "passkey", oddName)
	odd.Bound.Network, odd.Bound.Browser = oddName, oddName
	return append(all,
		sampleOf("newcodes", NewCodes{codes}),
		sampleOf("recovered", Recovered{Token: sampleID, Left: 3, Add: []string{"totp", "passkey"}, Codes: true, Return: "/start?id=7"}),
		sampleOf("recovered-last", Recovered{Token: sampleID, Left: 1, Return: "https://intranet.example.com/start"}),
		sampleOf("noticed", Noticed{Token: sampleID, Return: "/start?id=7", Bound: []OwnFactor{stranger}}),
		sampleOf("noticed-odd-names", Noticed{Token: oddName, Return: oddName, Bound: []OwnFactor{odd, stranger}}),
	)
}

const (
	sampleDesk  = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
	samplePhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)

func ownFactor(now time.Time, kind, name string) OwnFactor {
	return OwnFactor{ID: sampleID, Kind: kind, Name: name, UsedAt: now.AddDate(0, 0, -2), Counts: true, Rename: true, Remove: true, Replace: kind == "totp",
		Bound: Place{At: now.AddDate(0, -4, -9), Network: "203.0.113.0/24", Browser: sampleDesk}}
}

func ownPage(now time.Time) Security {
	old := ownFactor(now, "totp", "Old phone")
	old.RemoveAt, old.Remove, old.UsedAt = now.Add(70*time.Hour), false, time.Time{}
	number := OwnFactor{ID: sampleID, Kind: "sms", Name: "+86 138****8000", Counts: true, Remove: true, Bound: Place{At: now.AddDate(0, -1, 0)}}
	s := Security{Token: sampleID, Bound: true, Manage: true, Password: true, Preferred: "passkey",
		Factors: []OwnFactor{ownFactor(now, "totp", "Work phone"), ownFactor(now, "passkey", "Laptop"), old, number},
		Add:     []string{"totp", "passkey"}, Preferable: []string{"passkey", "totp", "sms"},
		Contacts: []OwnContact{{Kind: "sms", Masked: "+86 138****8000", BoundAt: now.AddDate(0, -1, 0), Factor: true, Change: true},
			{Kind: "email", Masked: "l***i@e***.com", BoundAt: now.AddDate(0, -2, 0), Enable: true, Change: true}},
		Codes: OwnCodes{Offered: true, Made: true, Left: 7, MadeAt: now.AddDate(0, -3, 0)}}
	for i, ua := range []string{sampleDesk, samplePhone, "", "anything/1.0"} {
		at := Place{At: now.Add(-time.Duration(i+1) * 31 * time.Hour), Network: "203.0.113.0/24", Browser: ua, Site: "wiki"}
		s.Sessions = append(s.Sessions, OwnSession{ID: "c2Vzc2lvbg", Began: at, SeenAt: at.At.Add(time.Hour), This: i == 0})
		s.Browsers = append(s.Browsers, OwnBrowser{ID: "YnJvd3Nlcg", Last: at, FirstAt: at.At.AddDate(0, -2, 0), This: i == 0})
	}
	s.Browsers[0].TrustedUntil = now.AddDate(0, 0, 20)
	for i, e := range []string{"challenge.passed", "factor.bound", "code.sent", "session.ended", "person.ticket_issued"} {
		s.Activity = append(s.Activity, Activity{Event: e, Place: Place{At: now.Add(-time.Duration(i) * time.Hour), Network: "2001:db8:1::/48", Browser: sampleDesk, Site: "wiki"}})
	}
	s.Activity[1].Factor, s.Activity[4].Place = "passkey", Place{At: now.AddDate(0, 0, -3)}
	s.More.Sessions, s.More.Browsers, s.More.Activity = true, true, true
	return s
}

func ownSamples(now time.Time) []Sample {
	full := ownPage(now)
	managed := ownPage(now)
	managed.Manage, managed.Add, managed.Codes.Offered = false, nil, false
	federated := Security{Token: sampleID, Sessions: full.Sessions[:1], Browsers: full.Browsers[:1], Activity: full.Activity[:2]}
	first := Security{Token: sampleID, Bound: true, Manage: true, Factors: full.Factors[:1], Add: full.Add, Preferable: []string{"totp"},
		Contacts: []OwnContact{{Kind: "sms", Change: true}, {Kind: "email", Change: true}}, Codes: OwnCodes{Offered: true}, Sessions: full.Sessions[:1]}
	first.Factors = []OwnFactor{ownFactor(now, "totp", "Authenticator")}
	first.Factors[0].Remove, first.Factors[0].Counts = false, false
	odd := Security{Token: oddName, Bound: true, Manage: true, Factors: []OwnFactor{ownFactor(now, "totp", oddName)}, Contacts: []OwnContact{{Kind: "email", Masked: oddName, Change: true}},
		Sessions: []OwnSession{{ID: oddName, Began: Place{Network: oddName, Browser: oddName, Site: oddName}}}, Activity: []Activity{{Event: "<b>", Place: Place{Site: oddName, Browser: oddName}}}}
	odd.Factors[0].ID = oddName
	all := []Sample{
		sampleOf("security", full),
		sampleOf("security-managed", managed),
		sampleOf("security-federated", federated),
		sampleOf("security-first", first),
		sampleOf("security-odd-names", odd),
	}
	advised := first
	advised.Advice = true
	all = append(all, sampleOf("security-advice", advised))
	for _, k := range []DoneKind{DoneAdded, DoneRenamed, DoneReplaced, DoneRemoved, DonePlanned, DoneKept, DonePreferred, DoneContact, DoneContactGone,
		DoneEnabled, DoneForgotten, DoneSessionEnded, DoneOthersEnded, NotDoneWeak, NotDoneOften, NotDoneLast, NotDoneGone, NotDoneStale} {
		page := first
		page.Done = k
		all = append(all, sampleOf("security-done-"+string(k), page))
	}
	for _, of := range []string{"sessions", "browsers", "activity"} {
		all = append(all, sampleOf("ownlist-"+of, OwnList{Of: of, Security: full}))
	}
	return all
}

func changeSamples(now time.Time) []Sample {
	of := func(do ChangeKind, kind, name string) Change {
		return Change{Token: sampleID, Do: do, Field: "id", Value: sampleID, Kind: kind, Name: name}
	}
	later := of(ChangeRemove, "totp", "Work phone")
	later.At = now.Add(72 * time.Hour)
	codes := Change{Token: sampleID, Do: ChangeCodes, Left: 7}
	unnamed := of(ChangeRename, "totp", "")
	unnamed.Error = true
	return []Sample{
		sampleOf("change-add-totp", of(ChangeAdd, "totp", "")),
		sampleOf("change-add-passkey", of(ChangeAdd, "passkey", "")),
		sampleOf("change-rename", of(ChangeRename, "totp", "Work phone")),
		sampleOf("change-rename-empty", unnamed),
		sampleOf("change-rename-odd-names", of(ChangeRename, "passkey", oddName)),
		sampleOf("change-replace", of(ChangeReplace, "totp", "Work phone")),
		sampleOf("change-remove", of(ChangeRemove, "passkey", "Laptop")),
		sampleOf("change-remove-later", later),
		sampleOf("change-prefer", of(ChangePrefer, "sms", "")),
		sampleOf("change-contact-sms", of(ChangeContact, "sms", "+86 138****8000")),
		sampleOf("change-contact-email", of(ChangeContact, "email", "")),
		sampleOf("change-contact-remove", of(ChangeRemoveContact, "email", "l***i@e***.com")),
		sampleOf("change-enable", of(ChangeEnable, "sms", "+86 138****8000")),
		sampleOf("change-codes", codes),
		sampleOf("change-codes-first", Change{Token: sampleID, Do: ChangeCodes}),
	}
}
