package gateway

import (
	"context"
	"net/http"
	"net/url"

	"github.com/stepgate/stepgate/templates"
)

// returning says where to go on, in the query of a page on the way. The
// console may want the person on another host: that we said so is proved.
func (g *Gateway) returning(v *visit, to string) string {
	return url.Values{"return": {to}, "seal": {g.svc.Security.Token(v.session, "return", to)}}.Encode()
}

// goesOn is where a page on the way leads to: where we said, or a path of this
// host, and nothing else that a stranger's link can name.
func (s *security) goesOn() string {
	to := s.asked("return")
	if s.Ours(s.v.session, s.asked("seal"), "return", to) {
		return to
	}
	return localPath(to)
}

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
		return s.goOn(s.v, s.goesOn())
	}
	view := templates.Noticed{Token: s.token(), Return: s.goesOn(), Seal: s.asked("seal")}
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
	return s.goOn(s.v, s.goesOn())
}
