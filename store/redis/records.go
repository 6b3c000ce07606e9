package redis

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/stepgate/stepgate/challenge"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/sessions"
)

// levels are stored as letters: a number would change its meaning with the
// order of the constants. "s" is verified as well, by what others say.
const levels = "nfvs"

var levelOf = []identity.Level{identity.None, identity.FirstFactor, identity.Verified, identity.Verified}

// letter is a session's level. Only a verified one can have passed.
func letter(r *sessions.Record) (byte, error) {
	i := slices.Index(levelOf, r.Level)
	if i < 0 || r.Passed && r.Level != identity.Verified {
		return 0, errRecord
	}
	if r.Level == identity.Verified && !r.Passed {
		return 's', nil
	}
	return levels[i], nil
}

var errRecord = errors.New("the record cannot be stored")

// encodeSession begins with what the scripts read.
func encodeSession(r *sessions.Record) ([]byte, error) {
	level, err := letter(r)
	subject := r.Subject.String()
	if err != nil || len(subject) > math.MaxUint16 || r.Idle < 0 {
		return nil, errRecord
	}
	w := make(writer, 0, 256)
	w.time(r.SeenAt)
	w.time(r.ExpiresAt)
	w.ms(r.Idle.Milliseconds())
	w.byte(version)
	w.uint16(len(subject))
	w.raw([]byte(subject))
	w.byte(level)
	w.raw(r.Family[:])
	w.time(r.BeganAt)
	w.time(r.AuthTime)
	each([]string{r.Site, r.Source, r.Challenge, r.Waiting, r.Address, r.Browser}, w.text)
	w.texts(r.AMR)
	w.count(len(r.Bound))
	each(r.Bound, func(b []byte) { w.text(string(b)) })
	if len(r.Groups) > 0 { // most have none, and nodes of before know none
		w.texts(r.Groups)
	}
	return w, nil
}

func decodeSession(id sessions.ID, value string) (sessions.Record, error) {
	in := &reader{left: value}
	r := sessions.Record{ID: id, SeenAt: in.time(), ExpiresAt: in.time(), Idle: duration(in.ms())}
	in.version()
	r.Subject = in.subject(int(in.number(2)))
	r.Level, r.Passed = in.level()
	in.raw(r.Family[:])
	r.BeganAt, r.AuthTime = in.time(), in.time()
	for _, field := range []*string{&r.Site, &r.Source, &r.Challenge, &r.Waiting, &r.Address, &r.Browser} {
		*field = in.text()
	}
	r.AMR = in.texts()
	for _, b := range in.texts() {
		r.Bound = append(r.Bound, []byte(b))
	}
	if in.left != "" {
		r.Groups = in.texts()
	}
	if err := in.done(); err != nil {
		return sessions.Record{}, err
	}
	return r, nil
}

func duration(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

func (in *reader) level() (level identity.Level, passed bool) {
	letter := in.byte()
	if i := slices.Index([]byte(levels), letter); i >= 0 {
		return levelOf[i], letter == 'v'
	}
	in.take(-1)
	return identity.None, false
}

// subject reads "realm/name"; a realm has no slash.
func (in *reader) subject(length int) identity.Subject {
	text := in.take(length)
	for i := range len(text) {
		if text[i] == '/' {
			return identity.Subject{Realm: text[:i], Name: text[i+1:]}
		}
	}
	in.take(-1)
	return identity.Subject{}
}

// encodeChallenge begins with what the scripts read and ends with the pending
// key, which they exchange.
func encodeChallenge(r *challenge.Record) ([]byte, error) {
	if r.Attempts < 0 || r.Attempts > math.MaxInt32 {
		return nil, errRecord
	}
	rest := writer(nil)
	rest.raw(r.Session[:])
	rest.time(r.CreatedAt)
	each([]string{r.Subject.Realm, r.Subject.Name, r.Site, string(r.Purpose), r.Reference, r.ReturnTo}, rest.text)
	each([]bool{r.Enroll, r.Escrow}, rest.bool)
	w := writer(nil)
	w.time(r.ExpiresAt)
	w.uint32(r.Attempts)
	w.byte(version)
	w.uint32(len(rest))
	w.raw(rest)
	w.raw(encodePending(r.Pending))
	return w, nil
}

func encodePending(p challenge.Pending) []byte {
	w := writer(nil)
	w.time(p.ExpiresAt)
	w.text(p.ID)
	w.text(string(p.Key))
	return w
}

func decodeChallenge(id, value string) (challenge.Record, error) {
	in := &reader{left: value}
	r := challenge.Record{ID: id, ExpiresAt: in.time(), Attempts: int(in.number(4))}
	in.version()
	in.number(4)
	in.raw(r.Session[:])
	r.CreatedAt = in.time()
	for _, field := range []*string{&r.Subject.Realm, &r.Subject.Name, &r.Site, (*string)(&r.Purpose), &r.Reference, &r.ReturnTo} {
		*field = in.text()
	}
	r.Enroll, r.Escrow = in.bool(), in.bool()
	r.Pending = in.pending()
	if err := in.done(); err != nil {
		return challenge.Record{}, err
	}
	return r, nil
}

func decodePending(value string) (challenge.Pending, error) {
	in := &reader{left: value}
	p := in.pending()
	return p, in.done()
}

func (in *reader) pending() challenge.Pending {
	return challenge.Pending{ExpiresAt: in.time(), ID: in.text(), Key: []byte(in.text())}
}

func (w *writer) bool(b bool) {
	if b {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (in *reader) bool() bool { return in.byte() == 1 }
