package templates

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/text/language"
)

// languageCookie remembers a choice of language. It is no secret and says
// nothing about the person but the language.
const languageCookie = "__Host-stepgate-language"

// speech is one language with its texts.
type speech struct {
	Code  string // in file names, the cookie and the link: "en", "zh"
	Name  string // in the language itself
	Tag   language.Tag
	texts catalogue
}

// The first language is the one for people whose own is missing.
func spoken() []speech {
	return []speech{
		{Code: "en", Name: "English", Tag: language.English},
		{Code: "zh", Name: "中文", Tag: language.SimplifiedChinese},
	}
}

func loadLanguages(files layers) ([]speech, language.Matcher, error) {
	all := spoken()
	tags := make([]language.Tag, len(all))
	for i := range all {
		texts, err := loadCatalogue(files, "texts."+all[i].Code+".json")
		if err != nil {
			return nil, nil, err
		}
		all[i].texts, tags[i] = texts, all[i].Tag
	}
	return all, language.NewMatcher(tags), nil
}

// speech is the language for a request: the one chosen, else the best of those
// that the browser asks for.
func (s *Set) speech(r *http.Request) speech {
	if c, err := r.Cookie(languageCookie); err == nil {
		if l, ok := s.byCode(c.Value); ok {
			return l
		}
	}
	_, i := language.MatchStrings(s.matcher, r.Header.Get("Accept-Language"))
	return s.languages[i]
}

func (s *Set) byCode(code string) (speech, bool) {
	for _, l := range s.languages {
		if l.Code == code {
			return l, true
		}
	}
	return speech{}, false
}

// switches are links to the languages that the page is not in. Over plain HTTP
// there are none: browsers refuse to keep the choice there.
func (s *Set) switches(current speech, back string, v View) []Switch {
	var all []Switch
	if n, ok := v.(Notice); ok && n.Kind == NoticePlainHTTP {
		return nil
	}
	for _, l := range s.languages {
		if l.Code != current.Code {
			q := url.Values{"to": {l.Code}, "back": {back}}
			all = append(all, Switch{l.Tag.String(), l.Name, s.options.Base + "/language?" + q.Encode()})
		}
	}
	return all
}

// back is where a change of language leads from the page that answers r: to
// itself where a GET shows it again, else to the challenge.
func (s *Set) back(r *http.Request) string {
	own := strings.HasPrefix(r.URL.Path, s.options.Base+"/signin/") || r.URL.Path == s.options.Base+"/challenge"
	if own || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return localPath(r.RequestURI)
	}
	return s.options.Base + "/challenge"
}

// ServeLanguage keeps the choice of a language and goes back to the page.
func (s *Set) ServeLanguage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if l, ok := s.byCode(q.Get("to")); ok {
		http.SetCookie(w, &http.Cookie{
			Name: languageCookie, Value: l.Code, Path: "/", MaxAge: 365 * 24 * 60 * 60,
			Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", localPath(q.Get("back")))
	w.WriteHeader(http.StatusSeeOther)
}

// longestBack bounds what is repeated in a link; browsers and proxies differ
// in what more they bear.
const longestBack = 2048

// localPath returns s if every browser takes it for a path on this host, else
// "/". Browsers drop tabs and line ends and read "\" as "/", so that neither
// may be in it, not even escaped: what decodes once may be decoded by another.
func localPath(s string) string {
	if len(s) > longestBack || !plain(s) {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !plain(u.Path) {
		return "/"
	}
	return s
}

// plain tells whether s begins with exactly one slash and has neither control
// bytes nor a backslash.
func plain(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r == 0x7f || r == '\\'
	})
}
