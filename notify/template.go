package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// HTTPTemplate sends SMS through a provider that takes one request for each.
// In the query of its address and in its body, what stands in braces becomes:
// {sms.number} the number, +491701234567; {sms.digits} the same without the
// plus sign; {sms.text} the text; {sms.code} the code in it, and {sms.lang} its
// language.
type HTTPTemplate struct {
	// URL of the provider. https, but for this machine.
	URL string `json:"url"`
	// Method is GET, POST or PUT. Default: POST.
	Method string `json:"method,omitempty"`
	// Headers of the request. Its Content-Type says how values are written into
	// the body. Default: application/json.
	Headers map[string]string `json:"headers,omitempty"`
	// Body of the request.
	Body string `json:"body,omitempty"`
	// Success is what the provider answers when it took the message.
	Success Success `json:"success,omitzero"`
}

const (
	jsonBody = "application/json"
	formBody = "application/x-www-form-urlencoded"
)

// sample has what a person, a translator or a provider could have in a value.
var sample = Message{To: "+491701234567", Text: "\"}&=\\\n\u2028\u00e4<%", Code: "012345", Lang: "en"}

// Validate says what is wrong with the template.
func (t *HTTPTemplate) Validate() error {
	if err := checkAddress("sms", t.URL); err != nil {
		return err
	}
	path, query, _ := strings.Cut(t.URL, "?")
	if err := errors.Join(checkPlaceholders("sms", query), checkPlaceholders("body", t.Body), t.checkHeaders(), t.Success.Validate()); err != nil {
		return err
	}
	switch method := t.method(); {
	case strings.Contains(path, "{sms."):
		return errors.New("sms: placeholders stand in the query of the address, after the ?, or in the body")
	case !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut}, method):
		return fmt.Errorf("method: %q is none of GET, POST and PUT", method)
	case method == http.MethodGet && t.Body != "":
		return errors.New("body: a GET has none: put the placeholders into the query of the address, or use POST")
	case !strings.Contains(t.URL+t.Body, "{sms.number}") && !strings.Contains(t.URL+t.Body, "{sms.digits}"):
		return errors.New("body: say where the number stands, as {sms.number} in {\"to\":\"{sms.number}\",\"text\":\"{sms.text}\"}")
	case !strings.Contains(t.URL+t.Body, "{sms.text}") && !strings.Contains(t.URL+t.Body, "{sms.code}"):
		return errors.New("body: say where the text stands, as {sms.text}, or the code alone, as {sms.code}")
	}
	return t.checkBody()
}

func (t *HTTPTemplate) checkHeaders() error {
	for name, value := range t.Headers {
		if !headerName.MatchString(name) || controls(value) {
			return fmt.Errorf("header: %q with its value is no header: a name is of letters, digits and -, a value is one line", name)
		}
		if strings.Contains(value, "{sms.") {
			return fmt.Errorf("header: %s has a placeholder: they stand in the body, or in the query of the address", name)
		}
	}
	return nil
}

var headerName = regexp.MustCompile("^[A-Za-z0-9-]+$")

// checkBody finds a body that is not what its type says, for instance because
// a placeholder stands without quotes.
func (t *HTTPTemplate) checkBody() error {
	switch kind := t.kind(); {
	case t.Body == "":
		return nil
	case kind == jsonBody && !json.Valid([]byte(t.fill(t.Body, sample))):
		return errors.New("body: with its placeholders filled in this is no JSON: put each into quotes, as `{\"to\":\"{sms.number}\"}`; " +
			"for a form say `header Content-Type " + formBody + "`")
	case kind != jsonBody && kind != formBody:
		return fmt.Errorf("header: how to write values into a body of type %q is not known: %s and %s are", kind, jsonBody, formBody)
	}
	return nil
}

func (t *HTTPTemplate) method() string { return cmp.Or(t.Method, http.MethodPost) }

// contentType is as the operator wrote it, with the default.
func (t *HTTPTemplate) contentType() string {
	for name, value := range t.Headers {
		if strings.EqualFold(name, "Content-Type") {
			return value
		}
	}
	return jsonBody
}

// kind is the type of the body, without its parameters.
func (t *HTTPTemplate) kind() string {
	kind, _, err := mime.ParseMediaType(t.contentType())
	if err == nil && strings.HasSuffix(kind, "+json") {
		return jsonBody
	}
	return kind
}

// Escape writes a value so that it stays one value in the body.
func (t *HTTPTemplate) Escape(value string) string {
	if t.kind() == formBody {
		return url.QueryEscape(value)
	}
	quoted, _ := json.Marshal(value) // a string always has a form
	return string(quoted[1 : len(quoted)-1])
}

func (t *HTTPTemplate) fill(text string, m Message) string { return filled(text, m, t.Escape) }

// placeholder is one of ours.
var placeholder = regexp.MustCompile(`\{sms\.([^{}]*)\}`)

var placeholders = map[string]func(Message) string{
	"number": func(m Message) string { return m.To },
	"digits": func(m Message) string { return strings.TrimPrefix(m.To, "+") },
	"text":   func(m Message) string { return m.Text },
	"code":   func(m Message) string { return m.Code },
	"lang":   func(m Message) string { return m.Lang },
}

// filled replaces all placeholders in one go: what a value holds is never
// taken for one.
func filled(text string, m Message, escape func(string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		value, ok := placeholders[placeholder.FindStringSubmatch(match)[1]]
		if !ok {
			return match
		}
		return escape(value(m))
	})
}

func checkPlaceholders(word, text string) error {
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		if placeholders[match[1]] == nil {
			return fmt.Errorf("%s: there is no placeholder {sms.%s}; there are {sms.%s}", word, match[1],
				strings.Join(slices.Sorted(maps.Keys(placeholders)), "}, {sms."))
		}
	}
	return nil
}

// Carries implements Carrier: a provider that is told the code alone sends
// nothing else.
func (t *HTTPTemplate) Carries(m Message) bool {
	return m.Code != "" || strings.Contains(t.URL+t.Body, "{sms.text}")
}

// Carry implements Carrier.
func (t *HTTPTemplate) Carry(ctx context.Context, m Message) error {
	r, err := http.NewRequest(t.method(), filled(t.URL, m, url.QueryEscape), strings.NewReader(t.fill(t.Body, m)))
	if err != nil {
		return fault(Broken, "the address is none when its placeholders are filled in")
	}
	if t.Body != "" {
		r.Header.Set("Content-Type", t.contentType())
	}
	for name, value := range t.Headers {
		r.Header.Set(name, value)
	}
	return ask(ctx, r, t.Success, "")
}
