package gateway_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stepgate/stepgate/identity"
)

// TestPasswordAlone: who has no more than an enrolled person's password sees no
// contact and no key, and changes nothing, whatever they send wherever.
func TestPasswordAlone(t *testing.T) {
	r := newRig(t, allFactors)
	key := r.bind("alice")
	r.bindContact("alice", herNumber)
	r.reach("alice", herMail)
	r.passkeyAt("alice", "wiki.test")
	r.codesOf("alice")
	before := r.account("alice")
	thief := r.asked("alice")
	id := url.QueryEscape(thief.formID())
	ways := []string{"", "totp", "passkey", "sms", "email", "recovery", "stuck", "ticket", "nonsense"}
	forms := []string{
		"do=enable", "do=again", "fresh=1", "address=" + url.QueryEscape("+8613912345679"), "do=send&address=mallory%40example.com",
		"code1=123456&code2=654321", "name=mine&answer=" + url.QueryEscape(`{"id":"x"}`), "trust=1", "kind=email&code=",
	}
	for _, way := range ways {
		thief.get(wayPage(way))
		for _, form := range forms {
			thief.post(wayPage(way), "challenge="+id+"&"+form)
		}
	}
	for _, path := range []string{"", "/add?factor=totp", "/contact?kind=sms", "/codes", "/noticed", "/recovered", "/remove?id=cred-alice", "/activity"} {
		thief.get(securityPage + path)
		thief.post(securityPage+strings.SplitN(path, "?", 2)[0], "token=x&factor=totp&kind=sms&id=cred-alice")
	}
	for _, mark := range []string{herNumber, herNumber[3:], "3812345", herMail, "alice@", key, "otpauth:", secret, protected} {
		if strings.Contains(thief.wire.String(), mark) {
			t.Errorf("the thief received %q", mark)
		}
	}
	after := r.account("alice")
	if !reflect.DeepEqual(before, after) {
		t.Errorf("changed: %+v\nto %+v", before, after)
	}
	for _, m := range r.post.take() {
		if m.To != herNumber && m.To != herMail {
			t.Errorf("a message went to %s", m.To)
		}
	}
	if thief.user() != "-" || after.State != identity.Bound {
		t.Error("the thief is in")
	}
}
