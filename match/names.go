package match

import "slices"

// Names is a set of header names that are compared as SameHeader does. It is
// asked about every header of every request: most have a length and a last
// letter that none in the set has.
type Names [256][]string // by both

// NewNames makes a set.
func NewNames(names ...string) *Names {
	set := new(Names)
	for _, name := range names {
		of := set.of(name)
		*of = append(*of, name)
	}
	return set
}

// With is a set of both sets' names.
func (n *Names) With(other *Names) *Names {
	both := new(Names)
	for i := range both {
		both[i] = slices.Concat(n[i], other[i])
	}
	return both
}

func (n *Names) of(name string) *[]string {
	if name == "" {
		return &n[0]
	}
	return &n[uint8(8*len(name))+foldHeader(name[len(name)-1])]
}

// Has tells whether the set has a name, in whatever spelling.
func (n *Names) Has(name string) bool {
	for _, known := range *n.of(name) {
		if SameHeader(known, name) {
			return true
		}
	}
	return false
}
