package gateway

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"slices"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/selfservice"
	"github.com/stepgate/stepgate/templates"
)

// shownOf is how much of each list the page itself shows.
const shownOf = 5

func (s *security) overview(ctx context.Context) error {
	view, err := s.everything(ctx)
	if err != nil {
		return s.fault(s.v, err)
	}
	view.Done, view.Advice = s.done(), s.Ours(s.v.session, s.asked("advice"), "advice")
	view.Sessions, view.More.Sessions = beginning(view.Sessions)
	view.Browsers, view.More.Browsers = beginning(view.Browsers)
	view.Activity, view.More.Activity = beginning(view.Activity)
	return s.write(http.StatusOK, view)
}

func beginning[T any](all []T) (some []T, more bool) {
	if len(all) <= shownOf {
		return all, false
	}
	return all[:shownOf], true
}

// list shows one of the lists in full.
func (s *security) list(ctx context.Context) error {
	view, err := s.everything(ctx)
	if err != nil {
		return s.fault(s.v, err)
	}
	return s.write(http.StatusOK, templates.OwnList{Of: path.Base(s.v.asReceived().URL.Path), Security: view})
}

func (s *security) everything(ctx context.Context) (templates.Security, error) {
	o, err := s.Overview(ctx, s.person)
	if err != nil {
		return templates.Security{}, err
	}
	view := templates.Security{Token: s.token(), Bound: o.Bound, Manage: o.Manage, Preferred: string(o.Preferred), Preferable: words(o.Preferable),
		Add: words(s.usableHere(o.Add)), Password: s.v.session.Source == firstfactor.SourcePassword,
		Codes: templates.OwnCodes{Offered: o.Codes.Offered, Made: o.Codes.Made(), Left: o.Codes.Left, MadeAt: o.Codes.BoundAt}}
	for _, f := range o.Factors {
		own := ownFactor(f.Credential)
		own.Counts, own.Rename, own.Replace, own.Remove = f.Counts, f.Renamable, f.Replaceable, f.Removable
		view.Factors = append(view.Factors, own)
	}
	for _, c := range o.Contacts {
		view.Contacts = append(view.Contacts, templates.OwnContact{Kind: string(c.Kind), Masked: c.Masked, BoundAt: c.BoundAt,
			Factor: c.Factor, Enable: c.Enable, Change: c.Changeable})
	}
	s.places(o, &view)
	return view, nil
}

func (s *security) places(o selfservice.Overview, view *templates.Security) {
	for _, r := range o.Sessions {
		view.Sessions = append(view.Sessions, templates.OwnSession{ID: r.Handle, SeenAt: r.SeenAt, This: r.This,
			Began: templates.Place{At: r.BeganAt, Network: contacts.Network(r.Address), Browser: r.Browser, Site: r.Site}})
	}
	for _, b := range o.Browsers {
		own := templates.OwnBrowser{ID: b.Handle, FirstAt: b.FirstAt, This: b.This,
			Last: templates.Place{At: b.SeenAt, Network: contacts.Network(b.Place.Address), Browser: b.Place.Browser}}
		if b.TrustedUntil.After(s.svc.Now()) {
			own.TrustedUntil = b.TrustedUntil
		}
		view.Browsers = append(view.Browsers, own)
	}
	for _, r := range o.Activity {
		view.Activity = append(view.Activity, activity(r))
	}
}

func activity(r audit.Record) templates.Activity {
	a := templates.Activity{Event: string(r.Event),
		Place: templates.Place{At: r.At, Network: contacts.Network(r.Address), Browser: r.Browser, Site: r.Site}}
	for _, why := range r.Reasons {
		about := why.Code == policy.ReasonFactor || why.Code == policy.ReasonFactorBound || why.Code == policy.ReasonFactorPassed
		if about && slices.Contains(identity.Factors(), identity.Factor(why.Detail)) {
			a.Factor = why.Detail
		}
	}
	return a
}

func ownFactor(c accounts.Credential) templates.OwnFactor {
	return templates.OwnFactor{ID: c.ID, Kind: string(c.Factor), Name: cmp.Or(c.Name, string(c.Factor)), UsedAt: c.UsedAt, RemoveAt: c.RemoveAt,
		Bound: templates.Place{At: c.BoundAt, Network: contacts.Network(c.Bound.Address), Browser: c.Bound.Browser}}
}

// usableHere leaves out what this browser could not bind.
func (s *security) usableHere(all []identity.Factor) []identity.Factor {
	return slices.DeleteFunc(slices.Clone(all), func(f identity.Factor) bool { return f == identity.Passkey && !s.party(s.v).Usable() })
}

func words(all []identity.Factor) (out []string) {
	for _, f := range all {
		out = append(out, string(f))
	}
	return out
}
