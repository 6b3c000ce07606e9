package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

func trail(t *testing.T, open func(t *testing.T) AccountStores) {
	for name, test := range map[string]func(*testing.T, AccountStores){
		"round trip": trailRoundTrip,
		"find":       trailFind,
		"crowd":      trailCrowd,
		"canceled":   trailCanceled,
	} {
		t.Run("trail/"+name, func(t *testing.T) { test(t, open(t)) })
	}
}

func newAudit(at time.Time) audit.Record {
	return audit.Record{
		At: at, Event: audit.ChallengeAsked, Site: "wiki", Subject: alice,
		Reasons:   []policy.Reason{{Code: policy.ReasonRequired}, {Code: policy.ReasonLogin, Detail: `"DW'é`}},
		Reference: "7K3F-9QXM", Address: "2001:db8::1", Browser: "Mozilla/5.0 \xe2\x82",
	}
}

func sameAudit(t *testing.T, got, want audit.Record) {
	t.Helper()
	for _, r := range []*audit.Record{&got, &want} {
		r.At, r.Reasons = r.At.UTC(), append([]policy.Reason{}, r.Reasons...)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func trailRoundTrip(t *testing.T, s AccountStores) {
	ctx, now := t.Context(), clock()
	records := []audit.Record{newAudit(now), {At: now, Event: audit.RequestRefused}}
	for _, name := range oddNames {
		r := newAudit(now)
		r.Subject.Name = name
		records = append(records, r)
	}
	for _, r := range records {
		must(t, s.Trail.Append(ctx, r))
		got, err := s.Reader.Find(ctx, identity.Subject{}, "", 1)
		must(t, err)
		if len(got) != 1 {
			t.Fatalf("found %d records", len(got))
		}
		sameAudit(t, got[0], r)
	}
}

func trailFind(t *testing.T, s AccountStores) {
	ctx, now := t.Context(), clock()
	for i, who := range []string{"alice", "bob", "alice", "bob", "alice"} {
		r := newAudit(now.Add(time.Duration(i) * time.Second))
		r.Subject.Name, r.Reference, r.Site = who, fmt.Sprint("R", i/2), fmt.Sprint(i)
		must(t, s.Trail.Append(ctx, r))
	}
	bob := identity.Subject{Realm: "wiki", Name: "bob"}
	for _, c := range []struct {
		who       identity.Subject
		reference string
		limit     int
		want      string
	}{
		{identity.Subject{}, "", 9, "43210"},
		{identity.Subject{}, "", 2, "43"},
		{identity.Subject{}, "", 0, ""},
		{identity.Subject{}, "", -1, ""},
		{alice, "", 9, "420"},
		{alice, "", 2, "42"},
		{identity.Subject{}, "R1", 9, "32"},
		{bob, "R1", 9, "3"},
		{bob, "R2", 9, ""},
		{identity.Subject{Realm: "blog", Name: "bob"}, "", 9, ""},
	} {
		got, err := s.Reader.Find(ctx, c.who, c.reference, c.limit)
		must(t, err)
		order := ""
		for _, r := range got {
			order += r.Site
		}
		if order != c.want {
			t.Errorf("%v %q %d: got %q, want %q", c.who, c.reference, c.limit, order, c.want)
		}
	}
}

func trailCrowd(t *testing.T, s AccountStores) {
	ctx, now := t.Context(), clock()
	race(t, nil, func(int) error { return s.Trail.Append(ctx, newAudit(now)) })
	got, err := s.Reader.Find(ctx, alice, "", 2*crowd)
	if err != nil || len(got) != crowd {
		t.Errorf("%d records of %d are there, %v", len(got), crowd, err)
	}
}

func trailCanceled(t *testing.T, s AccountStores) {
	wantUnknown(t, "append", s.Trail.Append(canceled(t), newAudit(clock())))
	_, err := s.Reader.Find(canceled(t), alice, "", 1)
	wantUnknown(t, "find", err)
	got, err := s.Reader.Find(t.Context(), alice, "", 1)
	if err != nil || len(got) != 0 {
		t.Errorf("%d records are there of one that was refused, %v", len(got), err)
	}
}
