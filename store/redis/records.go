package redis

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

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

// strengths are stored as letters, too.
const strengths = "-mtdk"

var strengthOf = []identity.Strength{identity.Unproved, identity.Mailbox, identity.Telephone, identity.Device, identity.Key}

func strengthLetter(s identity.Strength) (byte, error) {
	i := slices.Index(strengthOf, s)
	if i < 0 {
		return 0, errRecord
	}
	return strengths[i], nil
}

func (in *reader) strength() identity.Strength {
	if i := strings.IndexByte(strengths, in.byte()); i >= 0 {
		return strengthOf[i]
	}
	in.take(-1)
	return identity.Unproved
}

var errRecord = errors.New("the record cannot be stored")

// encodeSession begins with what the scripts read.
func encodeSession(r *sessions.Record) ([]byte, error) {
	level, err := letter(r)
	strength, unknown := strengthLetter(r.Strength)
	subject := r.Subject.String()
	if err != nil || unknown != nil || len(subject) > math.MaxUint16 || r.Idle < 0 {
		return nil, errRecord
	}
	w := make(writer, 0, 256)
	w.time(r.SeenAt)
	w.time(r.ExpiresAt)
	w.ms(r.Idle.Milliseconds())
	w.byte(version)
	w.short(subject)
	w.byte(level)
	w.raw(r.Family[:])
	w.time(r.BeganAt)
	w.time(r.AuthTime)
	each([]string{r.Site, r.Source, r.Challenge, r.Waiting, r.Address, r.Browser}, w.text)
	w.texts(r.AMR)
	w.count(len(r.Bound))
	each(r.Bound, func(b []byte) { w.text(string(b)) })
	w.texts(r.Groups)
	w.byte(strength)
	return w, nil
}

func decodeSession(id sessions.ID, value string) (sessions.Record, error) {
	in := &reader{left: value}
	r := sessions.Record{ID: id, SeenAt: in.time(), ExpiresAt: in.time(), Idle: duration(in.ms())}
	written := in.version(unstrengthened)
	r.Subject = in.subject(in.short())
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
	if written != unstrengthened || in.left != "" {
		r.Groups = in.texts()
	}
	if written != unstrengthened {
		r.Strength = in.strength()
	}
	if err := in.done(); err != nil {
		return sessions.Record{}, err
	}
	return r, nil
}

// unstrengthened is the version in which sessions had no strength, and groups
// only where there were some.
const unstrengthened = 1

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
func (in *reader) subject(text string) identity.Subject {
	for i := range len(text) {
		if text[i] == '/' {
			return identity.Subject{Realm: text[:i], Name: text[i+1:]}
		}
	}
	in.take(-1)
	return identity.Subject{}
}
