package templates

import (
	"html"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Language is the language that a request is answered in (BCP 47), for
// messages that come later.
func (s *Set) Language(r *http.Request) string { return s.speech(r).Tag.String() }

// speechOf is the language that comes next to lang.
func (s *Set) speechOf(lang string) speech {
	_, i := language.MatchStrings(s.matcher, lang)
	return s.languages[i]
}

// Code writes the message with a code, in the language that comes next to
// lang. It is plain text, and an SMS has no subject.
func (s *Set) Code(lang string, c CodeMessage) (subject, text string) {
	l := s.speechOf(lang)
	brand := []any{"brand", s.options.Brand}
	args := append(brand, "code", c.Code, "span", l.plainSpan(c.Life), "purpose", l.purpose(c))
	if c.SMS {
		return "", join("\n", l.plain("sms.code", args...), c.LastLine)
	}
	advice := "advice.code"
	if c.Purpose == CodeContact {
		advice = "advice.contact"
	}
	return l.plain("mail.code.subject", brand...), join("\n\n", l.plain("mail.code.text", args...), l.plain(advice), s.options.Brand)
}

func (l speech) purpose(c CodeMessage) string {
	switch {
	case c.Purpose != CodeContact:
		return l.plain("code.purpose."+string(c.Purpose), "site", c.Site)
	case c.SMS:
		return l.plain("code.purpose.number")
	default:
		return l.plain("code.purpose.address")
	}
}

// Announce writes an announcement, in the language that comes next to lang. It
// is plain text without a single link: who wants to act opens the site as
// always, which is what no phisher's message can say. An SMS has no subject.
func (s *Set) Announce(lang string, a Announcement) (subject, text string) {
	l := s.speechOf(lang)
	what := l.plain("announce." + string(a.Kind) + ".subject")
	if a.SMS {
		return "", l.plain("announce.sms", "brand", s.options.Brand, "what", what, "account", account(a.Account, shortName), "advice", l.briefAdvice(a))
	}
	subject = l.plain("announce.subject", "brand", s.options.Brand, "what", what)
	return subject, join("\n\n", l.plain("announce."+string(a.Kind)+".text"), l.facts(a), l.plain(a.Kind.advice()), l.plain("announce.end"), s.options.Brand)
}

// facts are a line for each thing that is known.
func (l speech) facts(a Announcement) string {
	return join("\n",
		l.fact("fact.account", account(a.Account, fullName)),
		l.fact("fact.site", harmless(a.Site, fullName)),
		l.fact(a.Kind.detail(), harmless(a.Detail, fullName)),
		l.fact("fact.at", l.plainMoment(a.At)),
		l.fact("fact.until", l.plainMoment(a.Until)),
		l.fact("fact.network", harmless(a.Network, fullName)),
		l.fact("fact.browser", l.browser(a.Browser)))
}

// detail is the text that says what the detail is.
func (k AnnouncementKind) detail() string {
	switch k {
	case AnnounceRecoveryUsed:
		return "fact.left"
	case AnnounceRequestFiled, AnnounceRequestApproved, AnnounceRequestRefused:
		return "fact.reference"
	default:
		return "fact.detail"
	}
}

func (l speech) fact(key, value string) string {
	if value == "" {
		return ""
	}
	return l.plain(key, "value", value)
}

// advice is the text on what to do: undo what somebody did in one's name, ask
// about what an administrator did.
func (k AnnouncementKind) advice() string {
	switch k {
	case AnnounceFactorRemovalPlanned:
		return "advice.planned"
	case AnnounceRequestFiled:
		return "advice.request"
	case AnnouncePasskeyCopied:
		return "advice.copied"
	case AnnounceFactorsReset, AnnounceRequestApproved, AnnounceRequestRefused, AnnounceTicketIssued,
		AnnounceLocked, AnnounceUnlocked, AnnounceRebindingRequired:
		return "advice.administrator"
	default:
		return "advice.undo"
	}
}

func (l speech) briefAdvice(a Announcement) string {
	if a.Kind == AnnounceFactorRemovalPlanned {
		return l.plain("advice.sms.planned", "moment", l.plainMoment(a.Until))
	}
	return l.plain("advice.sms")
}

// plain is a text as it is. Its values must be harmless.
func (l speech) plain(key string, args ...any) string {
	return fill(l.texts[key], args, func(v any) string { return v.(string) })
}

func (l speech) plainMoment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(l.texts["format.moment"])
}

func (l speech) plainSpan(d time.Duration) string {
	span, err := l.span(d)
	if err != nil {
		return "" // New has shown that it does not happen
	}
	return html.UnescapeString(string(span))
}

// join leaves out what is empty.
func join(between string, all ...string) string {
	var kept []string
	for _, one := range all {
		if one != "" {
			kept = append(kept, one)
		}
	}
	return strings.Join(kept, between)
}
