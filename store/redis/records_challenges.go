package redis

import (
	"maps"
	"math"
	"slices"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
)

// encodeChallenge begins with what the scripts read and change, and ends with
// the parts, which they exchange: see lua/challenge.lua.
func encodeChallenge(r *challenge.Record) ([]byte, error) {
	opened, err := encodeOpened(r.Opened, r.Strength)
	if err != nil || r.Attempts < 0 || r.Attempts > math.MaxInt32 {
		return nil, errRecord
	}
	w := writer(nil)
	w.time(r.ExpiresAt)
	w.uint32(r.Attempts)
	w.byte(version)
	w.raw(opened)
	w.long(encodeRest(r))
	for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
		part, err := encodePart(r.Parts[name])
		if err != nil {
			return nil, err
		}
		w.raw(part)
	}
	return w, nil
}

// encodeRest is what never changes.
func encodeRest(r *challenge.Record) []byte {
	w := writer(nil)
	w.raw(r.Session[:])
	w.time(r.CreatedAt)
	each([]string{r.Subject.Realm, r.Subject.Name, r.Site, string(r.Purpose), r.Reference,
		string(r.Gate), string(r.Binds), r.Instead, r.ReturnTo}, w.text)
	each([]bool{r.Enroll, r.Escrow}, w.bool)
	return w
}

// encodeOpened is what the opening of a gate changes.
func encodeOpened(by string, strength identity.Strength) ([]byte, error) {
	letter, err := strengthLetter(strength)
	if err != nil || len(by) > math.MaxUint16 {
		return nil, errRecord
	}
	w := writer{letter}
	w.short(by)
	return w, nil
}

func encodePart(p challenge.Part) ([]byte, error) {
	if len(p.Name) > math.MaxUint16 || len(p.ID) > math.MaxUint16 {
		return nil, errRecord
	}
	w := writer(nil)
	w.time(p.ExpiresAt)
	w.short(p.Name)
	w.short(p.ID)
	w.long(p.Data)
	return w, nil
}

// partless is the version in which challenges had no parts. Those that ran
// when it was replaced are over.
const partless = 1

func decodeChallenge(id, value string) (challenge.Record, error) {
	in := &reader{left: value}
	r := challenge.Record{ID: id, ExpiresAt: in.time(), Attempts: int(in.number(4))}
	if in.version(partless) == partless {
		return challenge.Record{}, challenge.ErrNotFound
	}
	r.Strength, r.Opened = in.strength(), in.short()
	in.number(4) // the length of the rest, for the scripts
	in.raw(r.Session[:])
	r.CreatedAt = in.time()
	for _, field := range []*string{&r.Subject.Realm, &r.Subject.Name, &r.Site, (*string)(&r.Purpose), &r.Reference,
		(*string)(&r.Gate), (*string)(&r.Binds), &r.Instead, &r.ReturnTo} {
		*field = in.text()
	}
	r.Enroll, r.Escrow = in.bool(), in.bool()
	r.Parts = in.parts()
	if err := in.done(); err != nil {
		return challenge.Record{}, err
	}
	return r, nil
}

func (in *reader) parts() map[string]challenge.Part {
	if in.left == "" {
		return nil
	}
	all := make(map[string]challenge.Part)
	for in.left != "" {
		p := in.part()
		all[p.Name] = p
	}
	return all
}

func decodePart(value string) (challenge.Part, error) {
	in := &reader{left: value}
	p := in.part()
	return p, in.done()
}

func (in *reader) part() challenge.Part {
	return challenge.Part{ExpiresAt: in.time(), Name: in.short(), ID: in.short(), Data: []byte(in.long())}
}

func (w *writer) bool(b bool) {
	if b {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (in *reader) bool() bool { return in.byte() == 1 }
