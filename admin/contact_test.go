package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/identity"
)

func (o *office) file(t *testing.T, name string, reached admin.OnFile) error {
	t.Helper()
	_, err := o.FileContact(t.Context(), root, admin.Filing{Expected: admin.Expected{Change: at("staff", name), New: true}, OnFile: reached})
	return err
}

func (o *office) masked(t *testing.T, name string) (all []string) {
	t.Helper()
	shown, err := o.Show(t.Context(), admin.Whom{Realm: "staff", Name: admin.Name(name)})
	must(t, err)
	for _, c := range shown.Contacts {
		all = append(all, c.Masked)
	}
	return all
}

func TestAdminContactsAreTheirOwn(t *testing.T) {
	o := newOffice(t)
	must(t, o.file(t, "alice", admin.OnFile{Mail: "wrong@example.com", Phone: "+49 151 23456789"}))
	if len(o.told.sent) != 0 {
		t.Errorf("told is %+v of what nobody had", o.told.sent)
	}
	must(t, o.file(t, "alice", admin.OnFile{Mail: "alice@example.com"}))
	if len(o.told.sent) != 1 || !strings.Contains(o.told.sent[0], "wrong@example.com") {
		t.Errorf("who was replaced is told nothing: %+v", o.told.sent)
	}
	before := fmt.Sprint(o.masked(t, "alice"))
	if strings.Count(before, "***") < 2 || len(o.masked(t, "alice")) != 2 {
		t.Errorf("on file are %s", before)
	}
	phone := accounts.Credential{ID: "phone", Subject: alice, Factor: identity.TOTP, Secret: []byte{1}, BoundAt: o.now, Strength: identity.Device}
	must(t, o.store.BindFirst(t.Context(), phone))
	mustBe(t, o.file(t, "alice", admin.OnFile{Mail: "mallory@example.com"}), admin.ErrTheirOwn)
	_, err := o.ResetFactors(t.Context(), root, admin.Reset{Change: at("staff", "alice")})
	must(t, err)
	mustBe(t, o.file(t, "alice", admin.OnFile{Phone: "+49 151 98765432"}), admin.ErrTheirOwn)
	_, err = o.CreateUser(t.Context(), root, admin.Creation{Change: at("staff", "alice"), OnFile: admin.OnFile{Mail: "mallory@example.com"}})
	mustBe(t, err, admin.ErrTheirOwn)
	if after := fmt.Sprint(o.masked(t, "alice")); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

// Who only ever came by single sign-on bound nothing, and chose no contact.
func TestAdminContactsOfTheFederated(t *testing.T) {
	o := newOffice(t)
	must(t, o.store.NoteFederated(t.Context(), alice))
	must(t, o.file(t, "alice", admin.OnFile{Mail: "alice@example.com"}))
}

func TestAdminContactsRefused(t *testing.T) {
	o := newOffice(t)
	for _, reached := range []admin.OnFile{{}, {Mail: "alice"}, {Phone: "0151 23456789"}, {Phone: "+49 30 123456"},
		{Mail: "alice@example.com", Phone: "12"}, {Mail: "alice@example.com\r\nBcc: mallory@example.com"}} {
		mustBe(t, o.file(t, "alice", reached), admin.ErrContact)
		_, err := o.CreateUser(t.Context(), root, admin.Creation{Change: at("staff", "bob"), OnFile: reached})
		if reached != (admin.OnFile{}) {
			mustBe(t, err, admin.ErrContact)
			o.now = o.now.Add(1e12) // links are made once a minute
		} else {
			must(t, err)
			o = newOffice(t)
		}
	}
	page, err := o.Users(t.Context(), admin.Search{Realm: "staff"})
	must(t, err)
	if len(page.Users) != 0 {
		t.Errorf("made are %+v", page.Users)
	}
}

func TestAdminContactsAreShared(t *testing.T) {
	o := newOffice(t)
	for i := range accounts.MaxShared {
		must(t, o.file(t, fmt.Sprint("person", i), admin.OnFile{Mail: "team@example.com"}))
	}
	mustBe(t, o.file(t, "alice", admin.OnFile{Mail: "Team+alice@example.com"}), admin.ErrShared)
}

func TestAdminCreatesWithContacts(t *testing.T) {
	o := newOffice(t)
	i, err := o.CreateUser(t.Context(), root, admin.Creation{Change: admin.Change{Whom: admin.Whom{Realm: "staff", Name: "bob"}},
		OnFile: admin.OnFile{Mail: "bob@example.com", Phone: "+49 151 23456789", Language: "zh"}})
	must(t, err)
	if o.owner(t, i) != "bob" || len(o.masked(t, "bob")) != 2 {
		t.Errorf("%+v, %q", i, o.masked(t, "bob"))
	}
	a, err := o.store.Account(t.Context(), identity.Subject{Realm: "staff", Name: "bob"})
	must(t, err)
	if a.Contacts[0].Language != "zh" || a.State != identity.NeverBound {
		t.Errorf("%+v", a)
	}
}
