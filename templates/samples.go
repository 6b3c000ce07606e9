package templates

import "time"

// Sample is one page in one state, with data as awkward as real data gets.
type Sample struct {
	Name  string // "challenge-locked"
	Frame Frame
	View  View
}

// Samples is every page in every state. New renders all of them, and so do the
// tests that look at pages in a browser.
func Samples() []Sample {
	now := time.Date(2026, 12, 1, 9, 41, 30, 0, time.UTC)
	all := append(challengeSamples(now), enrollSamples(now)...)
	all = append(all, factorSamples(now)...)
	all = append(all, noticeSamples(now)...)
	all = append(all, securitySamples(now)...)
	all = append(all, signInSamples()...)
	all = append(all, passwordSamples(now)...)
	for i := range all {
		all[i].Frame.Site, all[i].Frame.Now = "wiki", now
	}
	return all
}

func challengeSamples(now time.Time) []Sample {
	frame := Frame{Subject: "lin.wei", Reference: "7KQ4-M2XP"}
	sample := func(name string, m Message, locked time.Time) Sample {
		return Sample{name, frame, Challenge{
			Asking:     Asking{ID: "Q2hhbGxlbmdlT2ZTYW1wbGU", Purpose: "login", Message: m, LockedUntil: locked},
			Credential: "Authenticator app", BoundAt: now.AddDate(0, -4, -9),
		}}
	}
	hostile := sample("challenge-odd-names", Message{Kind: WrongCode, Left: 1}, time.Time{})
	hostile.Frame.Subject = "<script>alert(1)</script>\u202e\"'&{n} " + longName
	hostile.View = Challenge{Asking: Asking{ID: `"><script>alert(1)</script>`, Message: Message{Kind: WrongCode, Left: 1}}}
	return []Sample{
		sample("challenge", Message{}, time.Time{}),
		sample("challenge-wrong", Message{Kind: WrongCode, Left: 4}, time.Time{}),
		sample("challenge-spent", Message{Kind: SpentCode, Left: 3}, time.Time{}),
		sample("challenge-stale", Message{Kind: StaleCode, Ago: 4 * time.Minute, Left: 2}, time.Time{}),
		sample("challenge-not-digits", Message{Kind: NotDigits, Left: 5}, time.Time{}),
		sample("challenge-locked", Message{}, now.Add(25*time.Minute)),
		hostile,
	}
}

func signInSamples() []Sample {
	leaving := Frame{Subject: "lin.wei"}
	way := func(label, id string) Way { return Way{Label: label, URL: "/.stepgate/signin/" + id + "?return=%2F"} }
	return []Sample{
		{"signout", leaving, SignOut{}},
		{"signin", Frame{}, SignIn{[]Way{way("Example Cloud ID", "oidc"), way("Password", "password")}}},
		{"signin-odd-names", Frame{}, SignIn{[]Way{way("<b>\u202e"+longName, "a"), way("用户名和密码", "b"), way("id.example.com", "c")}}},
	}
}

func passwordSamples(now time.Time) []Sample {
	named, odd := Frame{Subject: "lin.wei"}, `"><script>alert(1)</script>`+longName
	change := func(e PasswordError) NewPassword { return NewPassword{Account: "lin.wei", Shortest: 12, Error: e} }
	all := []Sample{
		{"password", Frame{}, Password{Return: "/start?id=7"}},
		{"password-wrong", Frame{}, Password{Return: "/", Name: "lin.wei", Error: WrongPassword}},
		{"password-locked", Frame{}, Password{Return: "/", Name: "lin.wei", LockedUntil: now.Add(25 * time.Minute)}},
		{"password-odd-names", Frame{}, Password{Return: odd, Name: odd, Error: WrongPassword}},
		{"link", Frame{}, Link{}},
		{"password-first", named, NewPassword{Account: "lin.wei", Ticket: "Q2hhbGxlbmdl", Shortest: 12}},
		{"password-first-odd-names", named, NewPassword{Account: odd, Ticket: odd, Shortest: 12, Error: PasswordTooShort}},
		{"password-change", named, change(NoPasswordError)},
		{"password-change-locked", named, NewPassword{Account: "lin.wei", LockedUntil: now.Add(25 * time.Minute)}},
	}
	for _, e := range []PasswordError{WrongOldPassword, PasswordTooShort, PasswordTooLong, PasswordCommon, PasswordLikeName, PasswordUnusable, NotTheSame} {
		all = append(all, Sample{"password-change-" + string(e), named, change(e)})
	}
	return all
}

const longName = "uid=anna-katharina.von-und-zu-hohenstein,ou=people,dc=corp,dc=example,dc=com"

func enrollSamples(now time.Time) []Sample {
	frame := Frame{Subject: "lin.wei", Reference: "7KQ4-M2XP"}
	sample := func(name string, m Message, expired bool) Sample {
		return Sample{name, frame, Enroll{
			Asking: Asking{ID: "Q2hhbGxlbmdlT2ZTYW1wbGU", Purpose: "login", Message: m}, Key: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
			URL:    "otpauth://totp/Example%20Cloud:lin.wei?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example%20Cloud&algorithm=SHA1&digits=6&period=30",
			Issuer: "Example Cloud", Account: "lin.wei", ExpiresAt: now.Add(10 * time.Minute),
			Expired: expired,
		}}
	}
	return []Sample{
		sample("enroll", Message{}, false),
		sample("enroll-wrong", Message{Kind: WrongCode, Left: 4}, false),
		sample("enroll-spent", Message{Kind: SpentCode, Left: 3}, false),
		sample("enroll-stale", Message{Kind: StaleCode, Ago: 20 * time.Second, Left: 3}, false),
		sample("enroll-not-consecutive", Message{Kind: NotConsecutive, Left: 1}, false),
		sample("enroll-not-digits", Message{Kind: NotDigits}, false),
		sample("enroll-expired", Message{}, true),
	}
}

func noticeSamples(now time.Time) []Sample {
	named := Frame{Subject: "lin.wei", Reference: "7KQ4-M2XP"}
	sample := func(f Frame, n Notice) Sample { return Sample{"notice-" + string(n.Kind), f, n} }
	return []Sample{
		sample(Frame{}, Notice{Kind: NoticeSignInNeeded, Next: "/doku.php?do=login"}),
		sample(named, Notice{Kind: NoticeCanceled, Next: "/"}),
		sample(Frame{}, Notice{Kind: NoticeChallengeGone, Next: "/"}),
		sample(named, Notice{Kind: NoticeTooManyAttempts, Next: "/"}),
		sample(Frame{Reference: "7KQ4-M2XP"}, Notice{Kind: NoticeLoginUnclear, Detail: "status 200, no cookie wordpress_logged_in_*"}),
		sample(Frame{}, Notice{Kind: NoticeMalformedRequest, Detail: "a field in query and body"}),
		sample(Frame{}, Notice{Kind: NoticeAmbiguousSession, Detail: "__Host-stepgate-wiki"}),
		sample(Frame{Reference: "7KQ4-M2XP"}, Notice{Kind: NoticeUnavailable, RetryAt: now.Add(5 * time.Second), Next: "/"}),
		sample(Frame{}, Notice{Kind: NoticePlainHTTP, Next: "https://wiki.example.com/"}),
		sample(Frame{}, Notice{Kind: NoticeNotAllowed, Next: "/"}),
		sample(Frame{}, Notice{Kind: NoticeNotFound, Next: "/"}),
		sample(Frame{}, Notice{Kind: NoticeCrossSite, Next: "/"}),
		sample(named, Notice{Kind: NoticeContinue, Next: "https://intranet.example.com/start?from=wiki"}),
		sample(named, Notice{Kind: NoticeSignedIn, Next: "/"}),
		sample(Frame{}, Notice{Kind: NoticeAssertionInvalid, Next: "/"}),
		sample(Frame{}, Notice{Kind: NoticeNotAsserted, Next: "/"}),
		sample(named, Notice{Kind: NoticeNotInGroup, Next: "/"}),
		sample(named, Notice{Kind: NoticeSignOnNeeded, Next: "/"}),
		sample(named, Notice{Kind: NoticeFreshSignOnNeeded, Next: "/"}),
		sample(Frame{Reference: "7KQ4-M2XP"}, Notice{Kind: NoticeIssuerUnavailable, Next: "/.stepgate/signin/oidc?return=%2F", RetryAt: now.Add(5 * time.Second)}),
		sample(Frame{}, Notice{Kind: NoticeSignInGone, Next: "/.stepgate/signin?return=%2F"}),
		sample(Frame{}, Notice{Kind: NoticeSignInDenied, Next: "/.stepgate/signin/oidc?return=%2F"}),
		sample(Frame{}, Notice{Kind: NoticeSignInIncomplete, Next: "/.stepgate/signin/oidc?return=%2F"}),
		sample(Frame{Reference: "7KQ4-M2XP"}, Notice{Kind: NoticeSignInFailed, Next: "/.stepgate/signin/oidc?return=%2F"}),
		sample(Frame{}, Notice{Kind: NoticeSignedOut, Next: "/.stepgate/signin?return=%2F"}),
		sample(Frame{}, Notice{Kind: NoticeSigningOut, Next: "https://id.example.com/logout?client_id=wiki"}),
		sample(Frame{}, Notice{Kind: NoticeBusy, RetryAt: now.Add(3 * time.Second)}),
		sample(Frame{}, Notice{Kind: NoticeLinkGone, Next: "/"}),
		sample(named, Notice{Kind: NoticeLockedOut, Next: "/"}),
		sample(named, Notice{Kind: NoticeNothingBound, Next: "/"}),
		sample(named, Notice{Kind: NoticeNothingToBind, Next: "/"}),
		sample(named, Notice{Kind: NoticeSharedContact, Next: "/.stepgate/security"}),
		sample(named, Notice{Kind: NoticeNotManageable, Next: "/.stepgate/security"}),
		sample(named, Notice{Kind: NoticePasswordChanged, Next: "/"}),
	}
}
