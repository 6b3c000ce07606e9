package firstfactor

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"regexp"
	"strings"
)

// Readers of forms in parts differ in all that browsers never write: PHP takes
// the first "boundary" of a content type and finds delimiters by their start,
// others read on after the last part, or take the first of two names. What
// does not look as a browser writes it could hold fields that we do not see.
var (
	partsType = regexp.MustCompile(`(?i)^multipart/form-data(; *charset="?utf-8"?)?; *boundary="?[-\w'()+./:=?]{1,70}"?(; *charset="?utf-8"?)?$`)
	partName  = regexp.MustCompile(`(?i)^form-data; *name=("[^"\\[:cntrl:]]*"|[-\w.\[\]]+)(; *filename=("[^"]*"|[^";]+))?(; *filename\*=[^"; ]+)?$`)
)

// maxParts is what PHP reads at most of a form's fields, ten times over.
const maxParts = 10_000

var errParts = errors.New("a form in parts that can be read in two ways")

// parseMultipart reads a form in parts, of which each must have one plain name.
func (f *fields) parseMultipart(body []byte, boundary string) error {
	f.form, f.files = make(url.Values), make(url.Values)
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for delimiters := 1; ; delimiters++ {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && delimiters == bytes.Count(body, []byte("--"+boundary)) {
			return nil
		}
		if err != nil || delimiters > maxParts {
			return errors.Join(errParts, err)
		}
		if err := f.addPart(part); err != nil {
			return err
		}
	}
}

func (f *fields) addPart(part *multipart.Part) error {
	disposition := part.Header["Content-Disposition"]
	if len(disposition) != 1 || !partName.MatchString(disposition[0]) || part.FormName() == "" ||
		part.Header.Get("Content-Transfer-Encoding") != "" {
		return errParts
	}
	value, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	if strings.Contains(strings.ToLower(disposition[0]), "filename") {
		f.files.Add(part.FormName(), "")
	} else {
		f.form.Add(part.FormName(), string(value))
	}
	return nil
}
