package challenge

import (
	"context"
	"testing"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
	"github.com/stepgate/stepgate/templates"
)

// waitingRequest is a store in which a request is open.
type waitingRequest struct {
	*world
	open accounts.Request
}

func (w waitingRequest) FileRequest(context.Context, accounts.Request) (accounts.Request, error) {
	return w.open, nil
}

// TestReferenceOfACheckedRequest: who has the password alone is not told what
// the person, who showed to be the person, would quote.
func TestReferenceOfACheckedRequest(t *testing.T) {
	for _, checked := range []identity.Factor{"", identity.SMS} {
		k := newWalk(t, Login, policy.NoGate, proving)
		k.Flow.Accounts = waitingRequest{k.world, accounts.Request{Reference: "R4WN-82KD", Checked: checked}}
		res, err := k.Submit(t.Context(), k.record, Answer{Way: WayStuck, File: true}, k.visitor)
		if err != nil {
			t.Fatal(err)
		}
		switch view := res.View.(type) {
		case templates.RequestFiled:
			if checked != "" || view.Request != "R4WN-82KD" {
				t.Errorf("told is %s of a request that was filed with %q", view.Request, checked)
			}
		case templates.Stuck:
			if checked == "" || view.Message.Kind != templates.FiledByCode {
				t.Errorf("the message is %v", view.Message)
			}
		default:
			t.Errorf("the page is %T", view)
		}
	}
}
