package firstfactor

import (
	"regexp"

	"github.com/stepgate/stepgate/match"
)

// Console describes a console's own login. It is the configuration, in JSON
// and in presets alike; `first_factor console [PRESET] {…}` in a Caddyfile.
type Console struct {
	// Preset names a description to start from: an embedded one, or a file if
	// it holds a slash or ends in .json. What is said here replaces it, word
	// by word.
	Preset string `json:"preset,omitempty"`
	// LoginPage is the path and query that a person without a session is led
	// to. {return} in it becomes the wanted path and query, {query.NAME} a
	// field of the wanted query, both query-escaped.
	LoginPage string `json:"login_page,omitempty"`
	// Logins are the requests that sign somebody in.
	Logins []Login `json:"logins,omitempty"`
	// Subject says how the console names the person.
	Subject *Subject `json:"subject,omitempty"`
	// SessionCookies are name patterns of the cookies that make the console
	// know a person: sealed on the way out, opened on the way in, never
	// forwarded below level verified. `*`, `?` and [classes].
	SessionCookies []string `json:"session_cookies,omitempty"`
	// SessionHeaders are request headers that do the same. They reach the
	// console only if it issued the value in this session's login.
	SessionHeaders []string `json:"session_headers,omitempty"`
	// SessionTokens are JSON pointers (RFC 6901) to tokens in a login's
	// answer that come back in a session header.
	SessionTokens []string `json:"session_tokens,omitempty"`
	// SessionFields are names of query and form fields, and of members of a
	// JSON body's object, in which the console takes such a token too. A
	// request that carries another value in one of them is refused.
	SessionFields []string `json:"session_fields,omitempty"`
	// SessionMessages are names of members of the JSON objects that the
	// console's script sends over a WebSocket, in which the console takes such
	// a token. A message with another value in one of them ends the connection.
	SessionMessages []string `json:"session_messages,omitempty"`
	// Rolling: the session cookie changes with any answer and names nobody, so
	// a change alone says nothing about the person.
	Rolling bool `json:"rolling,omitempty"`
	// Public and Logout are added to the site's own; presets use them for the
	// parts that a login page needs.
	Public match.Matches `json:"public,omitempty"`
	Logout match.Matches `json:"logout,omitempty"`
	// PasswordChange are the requests by which a person changes their password.
	// A verified one ends the trust in that person's browsers: who had the old
	// password may have been there.
	PasswordChange match.Matches `json:"password_change,omitempty"`
	// Refuse are requests that nobody may send, verified or not, unless a
	// bypass lets them: interfaces that take name and password with each call.
	Refuse match.Matches `json:"refuse,omitempty"`
	// TokenEndpoints are interfaces for machines. They change nothing by
	// themselves: loading a site warns where its rules leave open what becomes
	// of them.
	TokenEndpoints []TokenEndpoint `json:"token_endpoints,omitempty"`
	// Problem are members that the console's own script looks for in an error:
	// answers of ours to it have them beside those of RFC 9457. {detail} in a
	// value becomes a sentence for the person.
	Problem map[string]string `json:"problem,omitempty"`
	// Tested lists the console's versions that were tested with a preset.
	Tested []string `json:"tested,omitempty"`
	// Notes tell an operator what is worth knowing.
	Notes []string `json:"notes,omitempty"`
}

// TokenEndpoint is an interface of a console that takes a credential with each
// call, so that no second factor can be asked for.
type TokenEndpoint struct {
	match.Match
	// Takes says in words what it takes: "application passwords".
	Takes string `json:"takes"`
	// Header is the request header that the credential stands in. Empty: the
	// query or the body.
	Header string `json:"header,omitempty"`
}

// Login is one kind of request that signs somebody in.
type Login struct {
	// Match says which requests; any reading counts.
	Match match.Match `json:"match"`
	// Username is the credential field: a matching request without it is no
	// login, and it must not be doubled.
	Username Field `json:"username,omitzero"`
	// Fields are further form fields that make the request a login, with the
	// values that they must have wherever they stand.
	Fields map[string]string `json:"fields,omitempty"`
	// Federated: the request is what an issuer that the console asks sends the
	// browser back with. It has no username.
	Federated *Federated `json:"federated,omitempty"`
	// Success must hold whole for a success.
	Success Condition `json:"success"`
	// Failure must hold whole for a failure, besides that no session
	// credential is set.
	Failure Condition `json:"failure,omitzero"`
	// Hold is HoldAll (default) or HoldCookies.
	Hold Hold `json:"hold,omitempty"`
}

// Hold says what is held back of a successful login's answer.
type Hold string

// HoldAll holds the whole answer. HoldCookies lets status and body pass, for
// logins by fetch whose body holds no credential.
const (
	HoldAll     Hold = "all"
	HoldCookies Hold = "cookies"
)

// Field is a credential field of a login request.
type Field struct {
	// Form is the name of a form's or query's field.
	Form string `json:"form,omitempty"`
	// JSON is a pointer (RFC 6901) into a JSON body.
	JSON string `json:"json,omitempty"`
	// Basic: the name in the Authorization header's Basic credentials (RFC
	// 7617), which come with each request. They are proven by success.probe.
	Basic bool `json:"basic,omitempty"`
	// Anywhere: the console takes the field in any request for a sign-in.
	// Requests that carry it and are not the login are refused, since they
	// would be done as that person before the second factor.
	Anywhere bool `json:"anywhere,omitempty"`
}

// Condition is what an answer must look like: all that is set must hold.
type Condition struct {
	// Status is one of these.
	Status []int `json:"status,omitempty"`
	// Location is a pattern of the redirect's target, `*` for anything.
	Location string `json:"location,omitempty"`
	// SetCookies are name patterns; each must be set and not deleted.
	SetCookies []string `json:"set_cookies,omitempty"`
	// Headers are patterns of a header's value.
	Headers map[string]string `json:"headers,omitempty"`
	// JSON are patterns of values in a JSON body, by pointer.
	JSON map[string]string `json:"json,omitempty"`
	// Body is a pattern of the whole body.
	Body string `json:"body,omitempty"`
	// Probe is a path that answers 200 to a GET with the new credentials.
	Probe string `json:"probe,omitempty"`
}

// Subject says where the console names the person. Exactly one of Cookie,
// Header, JSON, Probe and Typed is set.
type Subject struct {
	// Cookie is a name pattern of a cookie that the answer sets.
	Cookie string `json:"cookie,omitempty"`
	// Header is a header of the answer.
	Header string `json:"header,omitempty"`
	// JSON is a pointer (RFC 6901) into the answer; with Probe, into the
	// probe's answer.
	JSON string `json:"json,omitempty"`
	// Probe is a path asked by GET with the new credentials.
	Probe string `json:"probe,omitempty"`
	// Typed takes what the person typed. Only for consoles that compare names
	// byte for byte and know no alias.
	Typed bool `json:"typed,omitempty"`
	// Decode is done before Pattern: "url", "base64", in order.
	Decode []string `json:"decode,omitempty"`
	// Pattern has one group, the name, and begins with ^. No match is a
	// denial. Empty: the whole value.
	Pattern string `json:"pattern,omitempty"`
	// DecodeName is done to what the group matched.
	DecodeName []string `json:"decode_name,omitempty"`

	pattern *regexp.Regexp
}
