package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/escrow"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// An issuer ends sign-ins by its own names for them. Two kinds of notes tell
// which sessions of ours it means: under a session's family lies what the
// issuer called the sign-in, and under each name of the issuer's lie the
// sessions that began by it.

const (
	// places is how many of our sessions one name of an issuer leads to.
	places = 64
	// tries is how many of them are looked at for a free one.
	tries = 8
	// endedFor is how long a session that the issuer ended begins none of ours:
	// longer than a challenge is open.
	endedFor = challenge.Lifetime + 5*time.Minute
)

var errEndedThere = errors.New("the issuer ended this sign-in meanwhile")

// ourSession is one that began by a sign-in at an issuer.
type ourSession struct {
	ID      []byte
	Subject identity.Subject
	Expires time.Time
}

// issuerName is a name that an issuer gave, as the stores know it: hashed, and
// apart from those of other issuers and clients.
type issuerName string

func newIssuerName(kind string, i *firstfactor.Issued, name string) issuerName {
	sum := sha256.New()
	for _, part := range []string{kind, i.Issuer, i.Client, name} {
		_, _ = sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return issuerName(base64.RawURLEncoding.EncodeToString(sum.Sum(nil)))
}

func (n issuerName) place(i int) string { return "issuer/" + string(n) + "/" + strconv.Itoa(i%places) }

// ended is the name among the ids that are spent.
func (n issuerName) ended() string { return "issuer-ended/" + string(n) }

// namesOf are those by which an issuer may end a sign-in. Its sub is one of
// them where people are named by another claim: be it that this person's is
// the same, since it could be somebody else's name.
func (g *Gateway) namesOf(i *firstfactor.Issued) (names []issuerName) {
	if i.Session != "" {
		names = append(names, newIssuerName("session", i, i.Session))
	}
	if o := g.issuer(i.Source); o == nil || o.Name != "sub" {
		names = append(names, newIssuerName("subject", i, i.Subject))
	}
	return names
}

// follow notes what an issuer may end of a session that has just begun, and
// ends it if the issuer's word came before the note.
func (g *Gateway) follow(ctx context.Context, live *sessions.Session, issued *firstfactor.Issued) error {
	if issued == nil {
		return nil
	}
	expires := g.svc.Now().Add(g.site.Life + challenge.Lifetime)
	err := g.note(ctx, familyNote(live), issued, expires)
	ids := []string{""}
	for _, name := range g.namesOf(issued) {
		err = errors.Join(err, g.file(ctx, name, ourSession{live.ID[:], live.Subject, live.ExpiresAt}, expires))
		ids = append(ids, name.ended())
	}
	for _, id := range ids {
		ended, unknown := g.svc.Accounts.Ended(ctx, live.Subject, id, live.BeganAt)
		if err = errors.Join(err, unknown); ended {
			err = errors.Join(err, errEndedThere)
		}
	}
	if err != nil {
		return errors.Join(err, g.svc.Sessions.End(ctx, live))
	}
	return nil
}

// followRaised does the same for a session under its new id.
func (g *Gateway) followRaised(ctx context.Context, live *sessions.Session) error {
	if g.issuer(live.Source) == nil {
		return nil
	}
	issued, err := g.takeIssued(ctx, live)
	if err != nil {
		return errors.Join(err, g.svc.Sessions.End(ctx, live))
	}
	return g.follow(ctx, live, issued)
}

// takeIssued is what the issuer called the sign-in of a session.
func (g *Gateway) takeIssued(ctx context.Context, live *sessions.Session) (*firstfactor.Issued, error) {
	issued := new(firstfactor.Issued)
	return issued, g.takeNote(ctx, familyNote(live), issued)
}

func familyNote(live *sessions.Session) string {
	return "family/" + base64.RawURLEncoding.EncodeToString(live.Family[:])
}

// file puts a session under a name, at a place that is free. Where none is
// found, the session that lies there ends: it could be ended by nobody else.
func (g *Gateway) file(ctx context.Context, name issuerName, s ourSession, expires time.Time) (err error) {
	from := rand.IntN(places)
	for i := range tries {
		if err = g.note(ctx, name.place(from+i), s, expires); err == nil {
			return nil
		}
	}
	var before ourSession
	if g.takeNote(ctx, name.place(from), &before) != nil {
		return err
	}
	return errors.Join(g.endOurs(ctx, before), g.note(ctx, name.place(from), s, expires))
}

// filed takes all sessions under a name.
func (g *Gateway) filed(ctx context.Context, name issuerName) ([]ourSession, error) {
	found := make([]ourSession, places)
	var take []func() error
	for i := range found {
		take = append(take, func() error {
			err := g.takeNote(ctx, name.place(i), &found[i])
			if errors.Is(err, escrow.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	err := together(take...)
	var there []ourSession
	for _, s := range found {
		if len(s.ID) > 0 {
			there = append(there, s)
		}
	}
	return there, err
}

// endOurs ends a session by what is noted of it.
func (g *Gateway) endOurs(ctx context.Context, s ourSession) error {
	live := &sessions.Session{Record: sessions.Record{Subject: s.Subject, ExpiresAt: s.Expires}}
	if copy(live.ID[:], s.ID) != len(live.ID) {
		return errors.New("a note names no session")
	}
	return g.svc.Sessions.End(ctx, live)
}

// endedThere ends what an issuer ended: the sessions of one of its own where
// that is known, else all of the subject. It returns whose they were.
func (g *Gateway) endedThere(ctx context.Context, o OIDC, e firstfactor.Ended) ([]identity.Subject, error) {
	i := &firstfactor.Issued{Issuer: o.Issuer.Issuer, Client: o.Issuer.ClientID}
	if e.Session != "" {
		name := newIssuerName("session", i, e.Session)
		if err := g.spend(ctx, name.ended(), endedFor); err != nil && !errors.Is(err, accounts.ErrSpent) {
			return nil, err
		}
		ours, err := g.filed(ctx, name)
		if len(ours) > 0 || err != nil || e.Subject == "" {
			return g.endEach(ctx, ours, err)
		}
	}
	return g.endSubject(ctx, o, i, e.Subject)
}

func (g *Gateway) endEach(ctx context.Context, ours []ourSession, err error) (whose []identity.Subject, _ error) {
	for _, s := range ours {
		err = errors.Join(err, g.svc.Accounts.ForgetPasses(ctx, s.Subject), g.endOurs(ctx, s))
		whose = append(whose, s.Subject)
	}
	return whose, err
}

// endSubject ends all sessions of whom an issuer calls so. Where people are
// named by another claim, notes tell who that is here.
func (g *Gateway) endSubject(ctx context.Context, o OIDC, i *firstfactor.Issued, sub string) ([]identity.Subject, error) {
	who, err := identity.NewSubject(identity.IssuedBy(g.site.Realm, i.Issuer), sub)
	whose := []identity.Subject{who}
	if err != nil || o.Issuer.Name != "sub" {
		var ours []ourSession
		if ours, err = g.filed(ctx, newIssuerName("subject", i, sub)); err != nil {
			return nil, err
		}
		whose = nil
		for _, s := range ours {
			whose = append(whose, s.Subject)
		}
	}
	for _, who := range whose {
		err = errors.Join(err, g.svc.Sessions.EndSubject(ctx, who))
	}
	return whose, err
}

func (g *Gateway) spend(ctx context.Context, id string, life time.Duration) error {
	return g.svc.Accounts.SpendID(ctx, id, g.svc.Now().Add(life))
}

// note keeps a value, sealed to its place.
func (g *Gateway) note(ctx context.Context, id string, v any, expires time.Time) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return g.svc.Escrow.Note(ctx, id, g.svc.Flow.Ring.Seal("note", text, id), expires)
}

func (g *Gateway) takeNote(ctx context.Context, id string, into any) error {
	sealed, err := g.svc.Escrow.TakeNote(ctx, id)
	if err != nil {
		return err
	}
	text, err := g.svc.Flow.Ring.Open("note", sealed, id)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
