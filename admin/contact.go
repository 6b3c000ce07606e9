package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/contacts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/templates"
)

// OnFile is what an administrator knows of how to reach somebody, as they
// typed it.
type OnFile struct {
	Mail  string `json:"mail,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Language is what to write in, as `zh`. Empty: the first that there is.
	Language string `json:"language,omitempty"`
}

// Filing puts contacts on file.
type Filing struct {
	Expected
	OnFile
}

// FileContact puts contacts on file of somebody who never bound a factor.
// Later they are the person's own: who could change them could answer the
// questions that are sent there.
func (s *Service) FileContact(ctx context.Context, by Caller, in Filing) (Done, error) {
	who, err := s.expected(ctx, in.Whom, in.New)
	if err != nil {
		return Done{}, err
	}
	if in.Mail == "" && in.Phone == "" {
		return Done{}, ErrContact
	}
	a := act{by: by, who: who, why: in.Why, event: audit.ContactFiled}
	return s.carryOut(ctx, a, func() error { return s.file(ctx, who, in.OnFile) })
}

func (s *Service) file(ctx context.Context, who identity.Subject, reached OnFile) error {
	mail, phone := contacts.Address{Kind: identity.Email, Lang: reached.Language}, contacts.Address{Kind: identity.SMS, Lang: reached.Language}
	var err error
	if mail.To, err = read(identity.Email, reached.Mail); err != nil {
		return err
	}
	if phone.To, err = read(identity.SMS, reached.Phone); err != nil {
		return err
	}
	for _, to := range []contacts.Address{mail, phone} {
		if to.To == "" {
			continue
		}
		if err := s.put(ctx, who, to); err != nil {
			return err
		}
	}
	return nil
}

func read(kind identity.Factor, typed string) (string, error) {
	if typed == "" {
		return "", nil
	}
	to, err := contacts.Read(kind, typed, "")
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrContact, err)
	}
	return to, nil
}

func (s *Service) put(ctx context.Context, who identity.Subject, to contacts.Address) error {
	a, err := s.Accounts.Account(ctx, who)
	if err != nil {
		return err
	}
	old, replaced := a.Contact(to.Kind)
	err = s.Accounts.PutContact(ctx, s.Contacts.Seal(who, to), old.ID, identity.NeverBound, identity.Federated)
	switch {
	case errors.Is(err, accounts.ErrAlreadyBound):
		return ErrTheirOwn
	case errors.Is(err, accounts.ErrShared):
		return ErrShared
	}
	if err == nil && replaced {
		s.Contacts.Announce(ctx, []accounts.Contact{old}, contacts.Announcement{Kind: templates.AnnounceContactChanged})
	}
	return err
}
