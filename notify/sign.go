package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signer is an access key of Alibaba Cloud.
type signer struct{ id, secret string }

// algorithm is the third version of Alibaba Cloud's request signatures:
// https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
const algorithm = "ACS3-HMAC-SHA256"

// sign adds the headers that prove who sends r. All that matters is under the
// signature: host, query, action, body, time, and a nonce that makes a copy of
// the request worthless.
func sign(r *http.Request, body []byte, by signer, now time.Time, nonce string) {
	r.Header.Set("x-acs-date", now.UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("x-acs-signature-nonce", nonce)
	r.Header.Set("x-acs-content-sha256", sha256Hex(body))
	request, names := canonicalRequest(r)
	mac := hmac.New(sha256.New, []byte(by.secret))
	mac.Write([]byte(algorithm + "\n" + sha256Hex([]byte(request))))
	r.Header.Set("Authorization", algorithm+" Credential="+by.id+",SignedHeaders="+names+
		",Signature="+hex.EncodeToString(mac.Sum(nil)))
}

// canonicalRequest is the text that is signed, and the names of the headers in
// it.
func canonicalRequest(r *http.Request) (text, names string) {
	values := map[string]string{"host": r.URL.Host}
	signed := []string{"host"}
	for name, v := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			values[name] = strings.TrimSpace(v[0])
			signed = append(signed, name)
		}
	}
	slices.Sort(signed)
	var headers strings.Builder
	for _, name := range signed {
		headers.WriteString(name + ":" + values[name] + "\n")
	}
	names = strings.Join(signed, ";")
	return strings.Join([]string{r.Method, r.URL.EscapedPath(), canonical(r.URL.Query()), headers.String(), names,
		values["x-acs-content-sha256"]}, "\n"), names
}

// canonical is a query with its names in order, escaped by RFC 3986: a blank is
// %20 there and not a plus sign.
func canonical(v url.Values) string { return strings.ReplaceAll(v.Encode(), "+", "%20") }

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
