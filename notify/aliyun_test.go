package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The example of Alibaba Cloud's own documentation.
func TestSignaturePublished(t *testing.T) {
	r, err := http.NewRequest(http.MethodPost, "https://ecs.cn-shanghai.aliyuncs.com/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-acs-action", "RunInstances")
	r.Header.Set("x-acs-version", "2014-05-26")
	at := time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC)
	sign(r, nil, signer{"YourAccessKeyId", "YourAccessKeySecret"}, at, "3156853299f313e23d1673dc12e1703d")
	const want = "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
		"Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got %s", got)
	}
}

// checker is a server that checks signatures from what came over the wire, with
// code of its own.
type checker struct {
	secret string
	mu     sync.Mutex
	nonces map[string]bool
	got    []url.Values
	answer string
	status int
}

var authorization = regexp.MustCompile(`^ACS3-HMAC-SHA256 Credential=AKID,SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})$`)

func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.check(r); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"Code":"SignatureDoesNotMatch","Message":%q}`, err)
		return
	}
	c.got = append(c.got, r.URL.Query())
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.answer)
}

func (c *checker) check(r *http.Request) error {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return fmt.Errorf("Authorization: %s", r.Header.Get("Authorization"))
	}
	lines := []string{r.Method, r.URL.EscapedPath(), ordered(r.URL.RawQuery)}
	for _, name := range strings.Split(m[1], ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		lines = append(lines, name+":"+value)
	}
	body, _ := io.ReadAll(r.Body)
	hash := fmt.Sprintf("%x", sha256.Sum256(body))
	lines = append(lines, "", m[1], hash)
	mac := hmac.New(sha256.New, []byte(c.secret))
	_, _ = fmt.Fprintf(mac, "ACS3-HMAC-SHA256\n%x", sha256.Sum256([]byte(strings.Join(lines, "\n"))))
	at, err := time.Parse(time.RFC3339, r.Header.Get("x-acs-date"))
	nonce := r.Header.Get("x-acs-signature-nonce")
	switch {
	case hex.EncodeToString(mac.Sum(nil)) != m[2]:
		return fmt.Errorf("signature of %q", lines)
	case r.Header.Get("x-acs-content-sha256") != hash:
		return fmt.Errorf("hash of the body")
	case err != nil || time.Since(at).Abs() > time.Minute:
		return fmt.Errorf("date: %v", err)
	case nonce == "" || c.nonces[nonce]:
		return fmt.Errorf("nonce %q was there", nonce)
	case r.Header.Get("x-acs-action") != "SendSms" || r.Header.Get("x-acs-version") != "2017-05-25":
		return fmt.Errorf("another action")
	}
	for _, need := range []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"} {
		if !strings.Contains(";"+m[1]+";", ";"+need+";") {
			return fmt.Errorf("%s is not signed", need)
		}
	}
	if c.nonces == nil {
		c.nonces = make(map[string]bool)
	}
	c.nonces[nonce] = true
	return nil
}

// ordered writes a query anew, sorted and escaped by RFC 3986: a server signs
// what it understood, not what was sent.
func ordered(raw string) string {
	query, _ := url.ParseQuery(raw)
	var pairs []string
	for name, values := range query {
		pairs = append(pairs, rfc3986(name)+"="+rfc3986(values[0]))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func rfc3986(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~", c) >= 0 {
			out.WriteByte(c)
		} else {
			_, _ = fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func newAliyun(t *testing.T, c *checker) *Aliyun {
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &Aliyun{AccessKeyID: "AKID", AccessKeySecret: "AKSECRET", SignName: "示例 公司*~", TemplateCode: "SMS_1", Endpoint: server.URL}
}

func TestAliyun(t *testing.T) {
	c := &checker{secret: "AKSECRET", status: 200, answer: `{"Code":"OK","Message":"OK","BizId":"9","RequestId":"8"}`}
	a := newAliyun(t, c)
	a.NoticeTemplateCode = "SMS_2"
	domestic, notice := hello, hello
	domestic.To, notice.Code = "+8613800138000", ""
	for _, m := range []Message{hello, domestic, notice} {
		if err := a.Carry(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	want := []url.Values{
		{"PhoneNumbers": {"491701234567"}, "SignName": {a.SignName}, "TemplateCode": {"SMS_1"}, "TemplateParam": {`{"code":"482913"}`}},
		{"PhoneNumbers": {"13800138000"}, "SignName": {a.SignName}, "TemplateCode": {"SMS_1"}, "TemplateParam": {`{"code":"482913"}`}},
		{"PhoneNumbers": {"491701234567"}, "SignName": {a.SignName}, "TemplateCode": {"SMS_2"}},
	}
	if fmt.Sprint(c.got) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v", c.got, want)
	}
}

func TestAliyunRefusals(t *testing.T) {
	for answer, want := range map[string]struct {
		status int
		kind   Kind
	}{
		`{"Code":"isv.MOBILE_NUMBER_ILLEGAL","Message":"+491701234567"}`: {200, Refused},
		`{"Code":"isv.BUSINESS_LIMIT_CONTROL"}`:                          {400, Refused},
		`{"Code":"ServiceUnavailable"}`:                                  {503, Temporary},
		`{"Code":"Throttling.User"}`:                                     {429, Deferred},
		`{"Code":"Forbidden.RAM"}`:                                       {403, Broken},
	} {
		a := newAliyun(t, &checker{secret: "AKSECRET", status: want.status, answer: answer})
		err := a.Carry(t.Context(), hello)
		if err == nil || kind(err) != want.kind || !strings.Contains(err.Error(), strings.Split(answer, `"`)[3]) || strings.Contains(err.Error(), "49170") {
			t.Errorf("%s: %v (%d)", answer, err, kind(err))
		}
	}
	wrong := newAliyun(t, &checker{secret: "another", status: 200, answer: `{"Code":"OK"}`})
	if err := wrong.Carry(t.Context(), hello); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("a wrong secret: %v", err)
	}
}

// Without a template for announcements none is sent, and Send says so.
func TestAliyunNotice(t *testing.T) {
	a := newAliyun(t, &checker{})
	if a.Carries(Message{Text: "Something changed."}) || !a.Carries(hello) {
		t.Error("only codes have a template")
	}
}
