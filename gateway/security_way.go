package gateway

import (
	"context"
	"net/http"
	"net/url"

	"github.com/stepgate/stepgate/templates"
)

// returning says where to go on, in the query of a page on the way.
func returning(to string) string { return url.Values{"return": {to}}.Encode() }

// goesOn is where a page on the way leads to: a path of this host, and nothing
// that a stranger's link can name.
func (s *security) goesOn() string { return localPath(s.asked("return")) }

// showRecovered follows a pass with a recovery code.
func (s *security) showRecovered(ctx context.Context) error {
	o, err := s.Overview(ctx, s.person)
	if err != nil {
		return s.fault(s.v, err)
	}
	return s.write(http.StatusOK, templates.Recovered{Token: s.token(), Left: o.Codes.Left, Add: words(s.usableHere(o.Add)),
		Codes: o.Codes.Offered, Return: s.goesOn()})
}

// showNoticed tells what was bound in another browser.
func (s *security) showNoticed(ctx context.Context) error {
	bound, err := s.Unnoticed(ctx, s.person)
	if err != nil {
		return s.fault(s.v, err)
	}
	if len(bound) == 0 {
		return redirect(s.v, s.goesOn())
	}
	view := templates.Noticed{Token: s.token(), Return: s.goesOn()}
	for _, c := range bound {
		view.Bound = append(view.Bound, ownFactor(c))
	}
	return s.write(http.StatusOK, view)
}

// noticed takes the answer: until there is one, each login shows the page.
func (s *security) noticed(ctx context.Context) error {
	bound, err := s.Unnoticed(ctx, s.person)
	if err == nil {
		err = s.Notice(ctx, s.person, bound)
	}
	if err != nil {
		return err
	}
	if s.asked("mine") == "no" {
		return redirect(s.v, securityBase+"?"+url.Values{"advice": {s.Token(s.v.session, "advice")}}.Encode())
	}
	return redirect(s.v, s.goesOn())
}
