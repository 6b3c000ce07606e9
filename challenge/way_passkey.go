package challenge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/challenge/passkey"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/seal"
	"github.com/stepgate/stepgate/templates"
)

// The parts that are ceremonies: to prove, and to bind.
const (
	provePart = "passkey"
	bindPart  = "new-passkey"
)

// ceremony is what lies in the store until the browser answers: sealed, since
// its options name the person's keys.
type ceremony struct {
	Options json.RawMessage `json:"options"`
	Session []byte          `json:"session"`
}

// fits tells whether a passkey counts at this relying party. One that cannot
// be read counts nowhere.
func (f *Flow) fits(c accounts.Credential, v Visitor) bool {
	raw, err := f.Ring.Open("credential", c.Secret, c.SecretBinding()...)
	return err == nil && passkey.Matches(raw, v.Party.ID)
}

// holder is the person with all passkeys. The handle is a secret digest, from which no
// name can be guessed (WebAuthn level 3, section 14.6.1).
func (s *step) holder() (passkey.Holder, error) {
	h := passkey.Holder{Name: s.record.Subject.Name,
		Handle: seal.Digest(s.Ring.Derive("passkey user handle")[0], s.record.Subject.String())}
	for _, c := range s.held {
		if c.Factor != identity.Passkey {
			continue
		}
		raw, err := s.Ring.Open("credential", c.Secret, c.SecretBinding()...)
		if err != nil {
			return h, err
		}
		h.Keys = append(h.Keys, raw)
	}
	return h, nil
}

type begins func(passkey.Holder, bool) (json.RawMessage, []byte, error)

// ceremonyOf returns the options of the ceremony that goes on, and begins one
// if there is none: the same on reload and in a second tab.
func (s *step) ceremonyOf(ctx context.Context, name string, begin begins) (json.RawMessage, error) {
	p, ok := s.record.part(name, s.now)
	if !ok {
		fresh, err := s.newCeremony(name, begin)
		if err != nil {
			return nil, err
		}
		if p, err = s.Challenges.KeepPart(ctx, s.record.ID, fresh, s.now); err != nil {
			return nil, err
		}
	}
	c, err := s.openCeremony(p)
	return c.Options, err
}

func (s *step) newCeremony(name string, begin begins) (Part, error) {
	h, err := s.holder()
	if err != nil {
		return Part{}, err
	}
	var c ceremony
	if c.Options, c.Session, err = begin(h, !s.visitor.Rules.TouchSuffices); err != nil {
		return Part{}, err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return Part{}, err
	}
	p := Part{Name: name, ID: NewID(), ExpiresAt: s.now.Add(passkey.Lifetime)}
	p.Data = s.Ring.Seal("ceremony", plain, s.record.partBinding(p)...)
	return p, nil
}

func (s *step) openCeremony(p Part) (c ceremony, err error) {
	plain, err := s.Ring.Open("ceremony", p.Data, s.record.partBinding(p)...)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(plain, &c)
}

// takeCeremony ends the ceremony: an answer is checked once, right or wrong.
func (s *step) takeCeremony(ctx context.Context, name string) (c ceremony, there bool, err error) {
	p, ok := s.record.part(name, s.now)
	if !ok {
		return c, false, nil
	}
	p, err = s.Challenges.TakePart(ctx, s.record.ID, name, p.ID, s.now)
	if errors.Is(err, ErrNotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	delete(s.record.Parts, name) // what is shown next is another one
	c, err = s.openCeremony(p)
	return c, err == nil, err
}

// passkeyWay takes a signature of any of the person's passkeys.
type passkeyWay struct{ *step }

func (passkeyWay) name() string { return string(identity.Passkey) }

func (w passkeyWay) page(ctx context.Context, m templates.Message) (templates.View, error) {
	view := templates.PasskeyCheck{Asking: w.asking(m, w.ways(w.name()))}
	if view.Locked() {
		return view, nil
	}
	var err error
	view.Options, err = w.ceremonyOf(ctx, provePart, w.visitor.Party.Prove)
	return view, err
}

func (passkeyWay) read(a Answer) (templates.Message, bool) {
	return templates.Message{Kind: templates.PasskeyRefused}, len(a.Passkey) > 0
}

func (w passkeyWay) check(ctx context.Context, a Answer) (verdict, error) {
	refused := verdict{message: templates.PasskeyRefused, reason: policy.Reason{Code: policy.ReasonPasskey, Detail: "no_ceremony"}}
	c, there, err := w.takeCeremony(ctx, provePart)
	if err != nil || !there {
		return refused, err
	}
	h, err := w.holder()
	if err != nil {
		return verdict{}, err
	}
	key, err := w.visitor.Party.Proved(h, c.Session, a.Passkey)
	var failed *passkey.Error
	if errors.As(err, &failed) {
		w.log(failed)
		refused.reason.Detail = string(failed.Kind)
		if failed.Kind == passkey.UnknownKey {
			refused.message = templates.PasskeyUnknown
		}
		return refused, nil
	}
	if err != nil {
		return verdict{}, err
	}
	return w.counted(key)
}

// maxDetail is how much the log has of what the library said, which may quote
// what a browser sent.
const maxDetail = 500

// log tells the operator in full why a passkey was refused: an origin or a
// domain that does not fit is theirs to mend. What it quotes of a ceremony is
// used up by then.
func (s *step) log(failed *passkey.Error) {
	why := failed.Error()
	s.Log.Info("passkey refused", "kind", string(failed.Kind), "site", s.record.Site, "subject", s.record.Subject.String(),
		"error", strings.ToValidUTF8(why[:min(len(why), maxDetail)], ""))
}

// counted spends the counter of a key that signed. One that does not go
// forward may be a copy's: it is refused, written down and told.
func (w passkeyWay) counted(key passkey.Key) (verdict, error) {
	c, err := w.credentialOf(key)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{right: true, strength: c.Strength, spentAs: templates.PasskeyCopied}
	v.spend = func(ctx context.Context) error {
		if key.Counter == 0 && c.LastStep == 0 {
			return w.Accounts.NoteUse(ctx, c.ID, w.now)
		}
		err := w.Accounts.AdvanceStep(ctx, c.ID, int64(key.Counter), true, w.now)
		if errors.Is(err, accounts.ErrSpent) {
			if failed := w.regressed(ctx, c); failed != nil {
				return failed
			}
		}
		return err
	}
	return v, nil
}

func (w passkeyWay) regressed(ctx context.Context, c accounts.Credential) error {
	w.announce(ctx, templates.AnnouncePasskeyCopied, c.Name)
	return w.note(ctx, w.record, w.visitor, audit.PasskeyRegressed, policy.Reason{Code: policy.ReasonPasskeyCounter, Detail: c.ID})
}

// credentialOf is the credential of a key that is the person's: the holder was
// made of them.
func (s *step) credentialOf(key passkey.Key) (accounts.Credential, error) {
	id := s.passkeyID(key)
	for _, c := range s.held {
		if c.ID == id {
			return c, nil
		}
	}
	return accounts.Credential{}, errors.New("challenge: a passkey that is nobody's")
}

// passkeyID is the credential's id. Whoever brings a key that somebody else
// has bound at this relying party cannot bind it (WebAuthn level 3, section
// 7.1, step 26).
func (s *step) passkeyID(key passkey.Key) string {
	sum := seal.Digest([]byte("passkey credential"), s.visitor.Party.ID, string(key.ID))
	return base64.RawURLEncoding.EncodeToString(sum)
}
