package demo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxKeys is how many access keys one person may have.
const maxKeys = 20

var errTooManyKeys = errors.New("you already have as many keys as allowed: delete one first")

// accessKey lets a program act for its owner. Its secret is shown once and not
// kept.
type accessKey struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Created time.Time `json:"created"`

	owner string
}

// keyStore holds everybody's access keys, oldest first.
type keyStore struct {
	mu   sync.Mutex
	keys []accessKey
	last int
}

// newKeyStore starts with some keys, so that there is something to delete.
func newKeyStore() *keyStore {
	s := &keyStore{last: 1000}
	for _, k := range []struct{ owner, label string }{
		{"alice", "Deploy pipeline"}, {"alice", "Nightly backup"}, {"alice", "Laptop"},
		{"bob", "Billing export"}, {"bob", "Monitoring"},
	} {
		s.add(k.owner, k.label)
	}
	return s
}

// add expects the lock to be held, or nobody else to know the store yet.
func (s *keyStore) add(owner, label string) accessKey {
	s.last++
	k := accessKey{ID: fmt.Sprintf("lk-%d", s.last), Label: label, Created: time.Now().UTC(), owner: owner}
	s.keys = append(s.keys, k)
	return k
}

func (s *keyStore) list(owner string) []accessKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(owner)
}

// of expects the lock to be held. It never returns nil, so that nothing is an
// empty list in JSON too.
func (s *keyStore) of(owner string) []accessKey {
	own := []accessKey{}
	for _, k := range s.keys {
		if k.owner == owner {
			own = append(own, k)
		}
	}
	return own
}

func (s *keyStore) find(owner, id string) (accessKey, bool) {
	own := s.list(owner)
	i := slices.IndexFunc(own, func(k accessKey) bool { return k.ID == id })
	if i < 0 {
		return accessKey{}, false
	}
	return own[i], true
}

// create adds a key and returns it with its secret.
func (s *keyStore) create(owner, label string) (accessKey, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of(owner)) >= maxKeys {
		return accessKey{}, "", errTooManyKeys
	}
	return s.add(owner, label), rand.Text(), nil
}

// remove deletes a key of this owner; false if there is none such.
func (s *keyStore) remove(owner, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.keys)
	s.keys = slices.DeleteFunc(s.keys, func(k accessKey) bool { return k.owner == owner && k.ID == id })
	return len(s.keys) < before
}
