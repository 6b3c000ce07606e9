package firstfactor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/text/secure/precis"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/firstfactor/argon"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/limits"
	"github.com/stepgate/stepgate/seal"
)

// The budgets of failed sign-ins: of a name, in one bucket for strangers and
// one for browsers in which the person passed before, so that outsiders cannot
// lock the owner out; and of the strangers of a network, over all names.
var (
	nameBudget = []limits.Rate{
		{Count: 10, Period: 24 * time.Hour},
		{Count: 100, Period: 30 * 24 * time.Hour},
	}
	networkBudget = []limits.Rate{
		{Count: 30, Period: 15 * time.Minute},
		{Count: 300, Period: 24 * time.Hour},
	}
)

// Hasher computes the hashes of passwords.
type Hasher interface {
	// Hash returns the encoded hash of a new password.
	Hash(ctx context.Context, password string) (encoded string, err error)
	// Verify compares a password with an encoded hash; old: it is right and
	// should be hashed anew. The empty hash is nobody's, with the same work.
	Verify(ctx context.Context, encoded, password string) (right, old bool, err error)
}

// Passwords proves people by Stepgate's own passwords. One serves all sites.
// All its fields are needed.
type Passwords struct {
	Store   accounts.Passwords
	Budgets limits.Store
	Hasher  Hasher
	Ring    *seal.Ring
	Now     func() time.Time
}

// SignIn is what somebody typed into the sign-in page.
type SignIn struct {
	Realm, Name, Password string
	// Network is the client's address as far as one person has it alone.
	Network string
	// Known: the browser passed as this person before.
	Known bool
}

// SignInResult is how a sign-in ended.
type SignInResult struct {
	Identity Identity // zero: the name or the password is wrong
	// Person is who it was about, right or wrong, for the audit trail alone.
	// Zero: there is no such person.
	Person accounts.Person
	// LockedUntil is when the next attempt is allowed, which this one was not;
	// zero: it was.
	LockedUntil time.Time
}

// SignIn charges, compares and gives back what a right password costs. What
// it does, and what that takes, is the same for every name, whether somebody
// has it or not.
func (p *Passwords) SignIn(ctx context.Context, in SignIn) (SignInResult, error) {
	person, err := p.Store.Person(ctx, identity.Subject{Realm: in.Realm, Name: in.Name})
	if err != nil && !errors.Is(err, accounts.ErrNoPerson) {
		return SignInResult{}, err
	}
	taken, until, err := p.charge(ctx, in)
	if err != nil || !until.IsZero() {
		return SignInResult{Person: person, LockedUntil: until}, err
	}
	who, err := p.compare(ctx, person, prepared(in.Password))
	if !who.IsZero() || errors.Is(err, argon.ErrBusy) { // right, or not compared
		err = errors.Join(err, p.refund(ctx, taken))
	}
	return SignInResult{Identity: who, Person: person}, err
}

// charged is a budget that an attempt was taken from.
type charged struct {
	key   string
	rates []limits.Rate
}

// budgets are what an attempt is taken from. The network's comes first: who has
// none left cannot use up those of a name. A known browser has its person's
// alone, so that others in its network cannot lock it out.
func (in SignIn) budgets() []charged {
	name := charged{in.nameKey(), nameBudget}
	if in.Known {
		return []charged{name}
	}
	return []charged{{"passwords/network/" + in.Network, networkBudget}, name}
}

// charge takes an attempt before anything is compared.
func (p *Passwords) charge(ctx context.Context, in SignIn) (taken []charged, until time.Time, err error) {
	for _, c := range in.budgets() {
		balance, err := p.Budgets.Charge(ctx, c.key, c.rates, p.Now())
		if err != nil || !balance.Allowed {
			return nil, balance.RetryAt, err
		}
		taken = append(taken, c)
	}
	return taken, time.Time{}, nil
}

// nameKey is hashed: people type passwords where names belong.
func (in SignIn) nameKey() string {
	name := sha256.Sum256([]byte(in.Realm + "/" + in.Name))
	if in.Known {
		return "passwords/known/" + hex.EncodeToString(name[:])
	}
	return "passwords/strangers/" + hex.EncodeToString(name[:])
}

func (p *Passwords) refund(ctx context.Context, taken []charged) error {
	var errs []error
	for _, c := range taken {
		errs = append(errs, p.Budgets.Refund(ctx, c.key, c.rates, p.Now()))
	}
	return errors.Join(errs...)
}

// compare hashes once. Who does not exist, and who has no password yet, has
// nobody's.
func (p *Passwords) compare(ctx context.Context, person accounts.Person, password string) (Identity, error) {
	encoded, err := p.open(person)
	if err != nil {
		return Identity{}, err
	}
	right, old, err := p.Hasher.Verify(ctx, encoded, password)
	if err != nil || !right {
		return Identity{}, err
	}
	if old {
		err = p.rehash(ctx, person, password)
	}
	return Identity{subject: person.Subject, source: SourcePassword}, err
}

// SourcePassword is Stepgate's own sign-in page.
const SourcePassword = "password"

func (p *Passwords) open(person accounts.Person) (encoded string, err error) {
	if len(person.Password) == 0 {
		return "", nil
	}
	plain, err := p.Ring.Open("password", person.Password, accounts.PasswordBinding(person.Subject)...)
	return string(plain), err
}

func (p *Passwords) seal(ctx context.Context, who identity.Subject, password string) ([]byte, error) {
	encoded, err := p.Hasher.Hash(ctx, password)
	if err != nil {
		return nil, err
	}
	return p.Ring.Seal("password", []byte(encoded), accounts.PasswordBinding(who)...), nil
}

// rehash stores a password at today's cost. If the machine is busy or somebody
// changed it meanwhile, the next sign-in is early enough.
func (p *Passwords) rehash(ctx context.Context, person accounts.Person, password string) error {
	sealed, err := p.seal(ctx, person.Subject, password)
	if err == nil {
		err = p.Store.SetPassword(ctx, person.Subject, person.Password, sealed, person.SetAt)
	}
	if errors.Is(err, argon.ErrBusy) || errors.Is(err, accounts.ErrPasswordChanged) {
		return nil
	}
	return err
}

// Change replaces a person's password. The old one is checked, and charged,
// as at a sign-in. What the new one must be, Password.Check says before.
func (p *Passwords) Change(ctx context.Context, in SignIn, password string) (SignInResult, error) {
	out, err := p.SignIn(ctx, in)
	if err != nil || out.Identity.IsZero() {
		return out, err
	}
	sealed, err := p.seal(ctx, out.Person.Subject, prepared(password))
	if err != nil {
		return SignInResult{}, err
	}
	// It may have been hashed anew a moment ago.
	if out.Person, err = p.Store.Person(ctx, out.Person.Subject); err != nil {
		return SignInResult{}, err
	}
	return out, p.Store.SetPassword(ctx, out.Person.Subject, out.Person.Password, sealed, p.Now())
}

// LinkOf tells whose one-time link this is: accounts.ErrNoLink if nobody's.
func (p *Passwords) LinkOf(ctx context.Context, realm string, t accounts.Ticket) (identity.Subject, error) {
	return p.Store.Link(ctx, realm, t.Digest(), p.Now())
}

// Redeem spends a one-time link for a new password, which with the link proves
// the person.
func (p *Passwords) Redeem(ctx context.Context, realm string, t accounts.Ticket, password string) (Identity, error) {
	who, err := p.LinkOf(ctx, realm, t)
	if err != nil {
		return Identity{}, err
	}
	sealed, err := p.seal(ctx, who, prepared(password))
	if err != nil {
		return Identity{}, err
	}
	if err := p.Store.RedeemLink(ctx, who, t.Digest(), sealed, p.Now()); err != nil {
		return Identity{}, err
	}
	return Identity{subject: who, source: SourcePassword}, nil
}

// prepared is a password as it is hashed (RFC 8265, section 4.2): one form
// for all keyboards and systems. What has none is nobody's password and may
// stay as it is.
func prepared(password string) string {
	if out, err := precis.OpaqueString.String(password); err == nil {
		return out
	}
	return password
}
