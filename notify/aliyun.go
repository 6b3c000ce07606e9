package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Aliyun sends SMS through Alibaba Cloud's Short Message Service. It sends
// only what fits a template that was approved there.
type Aliyun struct {
	// AccessKeyID and AccessKeySecret are of a RAM user that may call
	// dysms:SendSms and nothing else.
	AccessKeyID     string `json:"access_key_id"`
	AccessKeySecret string `json:"access_key_secret"`
	// SignName is the approved signature that a message begins with.
	SignName string `json:"sign_name"`
	// TemplateCode is the template of codes, SMS_…, with the one variable
	// ${code}.
	TemplateCode string `json:"template_code"`
	// NoticeTemplateCode is the template of announcements, without variables.
	// Default: announcements are not sent by SMS.
	NoticeTemplateCode string `json:"notice_template_code,omitempty"`
	// Endpoint is another server than https://dysmsapi.aliyuncs.com.
	Endpoint string `json:"endpoint,omitempty"`
}

// Validate says what is wrong with the settings.
func (a *Aliyun) Validate() error {
	switch {
	case a.AccessKeyID == "" || a.AccessKeySecret == "":
		return errors.New("sms aliyun: say the access key of a RAM user, as `access_key_id LTAI…` and `access_key_secret {file./run/secrets/aliyun}`")
	case controls(a.AccessKeyID):
		return errors.New("access_key_id: an access key's id is one word, as LTAI…")
	case a.SignName == "" || a.TemplateCode == "":
		return errors.New("sms aliyun: say the approved signature and template, as `sign_name Example` and `template_code SMS_123456789`")
	}
	return checkAddress("endpoint", a.endpoint())
}

func (a *Aliyun) endpoint() string { return cmp.Or(a.Endpoint, "https://dysmsapi.aliyuncs.com") }

// Carries implements Carrier.
func (a *Aliyun) Carries(m Message) bool { return m.Code != "" || a.NoticeTemplateCode != "" }

// Carry implements Carrier.
func (a *Aliyun) Carry(ctx context.Context, m Message) error {
	r, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(a.endpoint(), "/")+"/?"+canonical(a.parameters(m)), nil)
	if err != nil {
		return &Fault{Broken, err}
	}
	r.Header.Set("x-acs-action", "SendSms")
	r.Header.Set("x-acs-version", "2017-05-25")
	sign(r, nil, signer{a.AccessKeyID, a.AccessKeySecret}, time.Now(), rand.Text())
	return ask(ctx, r, Success{JSON: map[string]string{"/Code": "OK"}}, "/Code")
}

// parameters are those of SendSms. Numbers of mainland China are known there
// without their country code, those of elsewhere with it.
func (a *Aliyun) parameters(m Message) url.Values {
	number := strings.TrimPrefix(m.To, "+")
	if domestic, ok := strings.CutPrefix(m.To, "+86"); ok && len(domestic) == 11 {
		number = domestic
	}
	v := url.Values{"PhoneNumbers": {number}, "SignName": {a.SignName}, "TemplateCode": {a.TemplateCode}}
	if m.Code == "" {
		v.Set("TemplateCode", a.NoticeTemplateCode)
		return v
	}
	code, _ := json.Marshal(map[string]string{"code": m.Code}) // strings always have a form
	v.Set("TemplateParam", string(code))
	return v
}
