package firstfactor

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/stepgate/stepgate/match"
)

// username finds the credential field. It must stand once, in one place, and
// under its own name rather than one that a lenient console folds into it.
func (f *fields) username(want Field) (typed string, inQuery, found bool, err error) {
	if want.JSON != "" {
		typed, found, err = f.jsonName(want.JSON)
		return typed, false, found, err
	}
	values, err := f.values(want.Form)
	if err != nil || len(values) == 0 {
		return "", false, false, err
	}
	// The address as received and as rewritten holds it twice at most.
	most := len(f.query)
	if f.form.Has(want.Form) {
		most = 1
	}
	for _, v := range values {
		if len(values) > most || v != values[0] {
			return "", false, false, fmt.Errorf("%w: the field %q stands twice", ErrLogin, want.Form)
		}
	}
	return values[0], !f.form.Has(want.Form), true, nil
}

// hold tells whether fields stand with exactly these values, wherever they
// stand.
func (f *fields) hold(want map[string]string) (bool, error) {
	for name, value := range want {
		values, err := f.values(name)
		if err != nil {
			return false, err
		}
		if len(values) == 0 {
			return false, nil
		}
		for _, v := range values {
			if v != value {
				return false, nil
			}
		}
	}
	return true, nil
}

// values are all values of a field, in every place. One that is a file, or
// spelled in another way, is an error.
func (f *fields) values(name string) ([]string, error) {
	for file := range f.files {
		if sameField(file, name) {
			return nil, fmt.Errorf("%w: the field %q is a file", ErrLogin, name)
		}
	}
	places := append([]url.Values{f.form}, f.query...)
	return valuesOf(name, places...)
}

// valuesOf are the values under a name, in all places.
func valuesOf(want string, places ...url.Values) (found []string, err error) {
	for _, fields := range places {
		for name, values := range fields {
			switch {
			case name == want:
				found = append(found, values...)
			case sameField(name, want):
				return nil, fmt.Errorf("%w: the field %q is spelled %q", ErrLogin, want, name)
			}
		}
	}
	return found, nil
}

// sameField tells whether a console may read one name as the other. Of a name
// like `user[login]` the index counts as well.
func sameField(name, want string) bool {
	base, index, array := strings.Cut(want, "[")
	if !array {
		return match.FoldName(name) == match.FoldName(want) || match.FoldName(unwrapped(name)) == match.FoldName(want)
	}
	otherBase, otherIndex, array := strings.Cut(unwrapped(name), "[")
	return array && match.FoldName(otherBase) == match.FoldName(base) &&
		strings.TrimSpace(otherIndex) == strings.TrimSpace(index)
}

// unwrapped is a name as Rack and Node's qs read it: `[user]`, `[user]x` and
// `user` are one field, `[user][login]` and `user[login]` another.
func unwrapped(name string) string {
	inner := strings.TrimLeft(name, "[]")
	if inner == name {
		return name
	}
	base, rest, closed := strings.Cut(inner, "]")
	if i := strings.IndexByte(rest, '['); closed && i >= 0 {
		return base + rest[i:]
	}
	return base
}

func (f *fields) jsonName(at string) (string, bool, error) {
	name, ok := pointer(f.json, at).(string)
	if _, folded := pointerBy(f.json, at, foldKey).(string); folded && !ok {
		return "", false, fmt.Errorf("%w: the field %q is spelled in another way", ErrLogin, at)
	}
	return name, ok, nil
}
