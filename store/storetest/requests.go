package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
)

var requestTests = map[string]func(*testing.T, People){
	"file":          requestFile,
	"checked later": requestChecked,
	"file, crowd":   requestFileCrowd,
	"find":          requestFind,
	"list":          requestList,
	"decide":        requestDecide,
	"decide, crowd": requestDecideCrowd,
}

// newRequest is one of alice with a value in every field that is hers to fill.
func newRequest(reference string, now time.Time) accounts.Request {
	return accounts.Request{Reference: reference, Subject: alice, Site: "wiki", At: now, From: newPlace(3), Decision: accounts.RequestOpen}
}

func utc(r accounts.Request) accounts.Request {
	r.At, r.DecidedAt = r.At.UTC(), r.DecidedAt.UTC()
	return r
}

func sameRequest(t *testing.T, what string, got, want accounts.Request) {
	t.Helper()
	if got, want = utc(got), utc(want); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v\nwant %+v", what, got, want)
	}
}

func wantRequest(t *testing.T, what string, s People, want accounts.Request) {
	t.Helper()
	got, err := s.Request(t.Context(), want.Reference)
	must(t, err)
	sameRequest(t, what, got, want)
}

func file(t *testing.T, s People, r accounts.Request) accounts.Request {
	t.Helper()
	got, err := s.FileRequest(t.Context(), r)
	must(t, err)
	return got
}

func decide(t *testing.T, s People, reference string, d accounts.RequestDecision, now time.Time) accounts.Request {
	t.Helper()
	got, err := s.Decide(t.Context(), reference, d, "root", "on the phone", now)
	must(t, err)
	return got
}

func requestFile(t *testing.T, s People) {
	now := clock()
	first := newRequest("A", now)
	sameRequest(t, "filed", file(t, s, first), first)
	accountNeverSeen(t, s)
	again := newRequest("B", now.Add(time.Hour))
	again.Site, again.From = "blog", accounts.Place{}
	sameRequest(t, "again", file(t, s, again), first)
	bobs := newRequest("C", now)
	bobs.Subject, bobs.From = bob, accounts.Place{}
	sameRequest(t, "of another", file(t, s, bobs), bobs)
	elsewhere := newRequest("D", now)
	elsewhere.Subject.Realm = "blog"
	sameRequest(t, "in another realm", file(t, s, elsewhere), elsewhere)
	decided := decide(t, s, "A", accounts.RequestRefused, now)
	sameRequest(t, "after a decision", file(t, s, again), again)
	wantRequest(t, "the decided one", s, decided)
	foreign := newRequest("C", now)
	foreign.Subject.Name = "carol"
	_, err := s.FileRequest(t.Context(), foreign)
	wantUnknown(t, "a reference in use", err, accountAnswers...)
	forged := newRequest("E", now)
	forged.Subject.Name, forged.Decision, forged.DecidedBy, forged.DecidedAt, forged.Why = "dave", accounts.RequestApproved, "dave", now, "because"
	if got := file(t, s, forged); got.Decision != accounts.RequestOpen || got.DecidedBy+got.Why != "" || !got.DecidedAt.IsZero() {
		t.Errorf("filed as decided: %+v", got)
	}
}

func requestChecked(t *testing.T, s People) {
	now := clock()
	file(t, s, newRequest("A", now))
	checked := newRequest("B", now.Add(time.Minute))
	checked.Checked, checked.Site, checked.From = identity.SMS, "blog", newPlace(9)
	want := checked
	sameRequest(t, "checked", file(t, s, checked), want)
	other := newRequest("C", now.Add(time.Hour))
	sameRequest(t, "unchecked afterwards", file(t, s, other), want)
	other.Checked = identity.Email
	sameRequest(t, "checked otherwise", file(t, s, other), want)
	for _, void := range []string{"A", "C"} {
		_, err := s.Request(t.Context(), void)
		wantErr(t, "the reference "+void, err, accounts.ErrNoRequest)
	}
}

func requestFileCrowd(t *testing.T, s People) {
	now := clock()
	got := make([]accounts.Request, crowd)
	race(t, nil, func(i int) (err error) {
		got[i], err = s.FileRequest(t.Context(), newRequest(string(rune('A'+i)), now))
		return err
	})
	for _, r := range got {
		if r.Reference != got[0].Reference {
			t.Fatalf("the crowd does not agree: %s and %s", got[0].Reference, r.Reference)
		}
	}
	if all, err := s.Requests(t.Context(), "wiki", "", crowd); err != nil || len(all) != 1 {
		t.Errorf("%d requests, %v", len(all), err)
	}
}

func requestFind(t *testing.T, s People) {
	now := clock()
	file(t, s, newRequest("7K3F-9QXM", now))
	for _, reference := range []string{"", "7K3F", "7k3f-9qxm", "7K3F-9QXM ", "%"} {
		_, err := s.Request(t.Context(), reference)
		wantErr(t, reference, err, accounts.ErrNoRequest)
	}
	for i, name := range oddNames {
		r := newRequest(string(rune('A'+i)), now)
		r.Subject.Name = name
		sameRequest(t, name, file(t, s, r), func() accounts.Request {
			if name == alice.Name {
				r.Reference = "7K3F-9QXM"
			}
			return r
		}())
	}
}

func requestList(t *testing.T, s People) {
	now := clock()
	for i, reference := range []string{"A", "B", "C"} {
		file(t, s, newRequest(reference, now.Add(time.Duration(i)*time.Minute)))
		if i < 2 {
			decide(t, s, reference, []accounts.RequestDecision{accounts.RequestApproved, accounts.RequestRefused}[i], now)
		}
	}
	elsewhere := newRequest("D", now)
	elsewhere.Subject.Realm = "blog"
	file(t, s, elsewhere)
	for _, c := range []struct {
		realm    string
		decision accounts.RequestDecision
		limit    int
		want     string
	}{
		{"wiki", "", 9, "CBA"}, {"wiki", "", 2, "CB"}, {"wiki", "", 0, ""}, {"wiki", "", -1, ""},
		{"wiki", accounts.RequestOpen, 9, "C"}, {"wiki", accounts.RequestApproved, 9, "A"}, {"wiki", accounts.RequestRefused, 9, "B"},
		{"wiki", "other", 9, ""}, {"blog", "", 9, "D"}, {"blo", "", 9, ""},
	} {
		all, err := s.Requests(t.Context(), c.realm, c.decision, c.limit)
		must(t, err)
		got := ""
		for _, r := range all {
			got += r.Reference
			wantRequest(t, "in a list", s, r)
		}
		if got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func requestDecide(t *testing.T, s People) {
	ctx, now := t.Context(), clock()
	_, err := s.Decide(ctx, "A", accounts.RequestApproved, "root", "", now)
	wantErr(t, "of no request", err, accounts.ErrNoRequest)
	want := newRequest("A", now)
	file(t, s, want)
	bobs := newRequest("B", now)
	bobs.Subject = bob
	file(t, s, bobs)
	for _, d := range []accounts.RequestDecision{"", accounts.RequestOpen, "maybe"} {
		_, err = s.Decide(ctx, "A", d, "root", "", now)
		wantUnknown(t, "no decision", err, accountAnswers...)
	}
	want.Decision, want.DecidedBy, want.DecidedAt, want.Why = accounts.RequestApproved, "root \xff", now.Add(time.Hour), "<b>it is her</b> \xfe"
	got, err := s.Decide(ctx, "A", want.Decision, want.DecidedBy, want.Why, want.DecidedAt)
	must(t, err)
	sameRequest(t, "decided", got, want)
	_, err = s.Decide(ctx, "A", accounts.RequestRefused, "eve", "", now)
	wantErr(t, "twice", err, accounts.ErrDecided)
	wantRequest(t, "twice", s, want)
	wantRequest(t, "another", s, bobs)
}

func requestDecideCrowd(t *testing.T, s People) {
	now := clock()
	file(t, s, newRequest("A", now))
	won := race(t, accounts.ErrDecided, func(i int) error {
		d := []accounts.RequestDecision{accounts.RequestApproved, accounts.RequestRefused}[i%2]
		_, err := s.Decide(t.Context(), "A", d, "root", "", now)
		return err
	})
	if won != 1 {
		t.Errorf("%d decided it", won)
	}
}
