package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/stepgate/stepgate/accounts"
	"github.com/stepgate/stepgate/audit"
	"github.com/stepgate/stepgate/firstfactor"
	"github.com/stepgate/stepgate/identity"
	"github.com/stepgate/stepgate/policy"
)

// maxLogout is the largest logout request that is read, in bytes.
const maxLogout = 64 << 10

// backchannel takes the issuer's word that a sign-in is over (OpenID Connect
// Back-Channel Logout 1.0, section 2.5). It comes from the issuer's server,
// without any cookie: the token alone says who sends it.
func (o OIDC) backchannel(g *Gateway, v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	token, ok := logoutToken(v)
	if !ok {
		return logoutRefused(v, http.StatusBadRequest, "one logout_token in a form is wanted")
	}
	ctx, cancel := detached(v.Request.Request, exchangeTimeout)
	defer cancel()
	ended, err := o.Issuer.Ended(ctx, token, g.svc.Now())
	if err != nil {
		return o.logoutFailed(g, v, err)
	}
	used, err := g.heardBefore(ctx, o, ended)
	if err == nil && used {
		return logoutRefused(v, http.StatusBadRequest, "the token was used before")
	}
	if err == nil {
		err = g.hearEnded(ctx, v, o, ended)
	}
	if err != nil {
		return o.logoutFailed(g, v, err)
	}
	v.w.WriteHeader(http.StatusOK)
	return nil
}

// hearEnded does what a logout token says, and spends it only then: one that
// could not be carried out is sent once more, and twice at once does no harm.
func (g *Gateway) hearEnded(ctx context.Context, v *visit, o OIDC, ended firstfactor.Ended) error {
	whose, err := g.endedThere(ctx, o, ended)
	for _, who := range whose {
		err = errors.Join(err, g.record(ctx, v, audit.SessionEnded, who, "", policy.Reason{Code: policy.ReasonIssuerLogout, Detail: o.Issuer.Issuer}))
	}
	if err != nil {
		return err
	}
	err = g.svc.Accounts.SpendID(ctx, o.heard(ended), ended.Expires.Add(5*time.Minute))
	if errors.Is(err, accounts.ErrSpent) {
		return nil
	}
	return err
}

// heardBefore tells whether a logout token was carried out already. Of whom it
// speaks does not matter: its name is among the ids that are spent.
func (g *Gateway) heardBefore(ctx context.Context, o OIDC, ended firstfactor.Ended) (bool, error) {
	return g.svc.Accounts.Ended(ctx, identity.Subject{}, o.heard(ended), g.svc.Now())
}

// heard is a logout token among the ids that are spent.
func (o OIDC) heard(ended firstfactor.Ended) string {
	id := sha256.Sum256([]byte(o.Issuer.Issuer + "\x00" + ended.ID))
	return "logout-token/" + base64.RawURLEncoding.EncodeToString(id[:])
}

func logoutToken(v *visit) (string, bool) {
	kind, _, err := mime.ParseMediaType(v.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", false
	}
	v.Body = http.MaxBytesReader(v.w, v.Body, maxLogout)
	if v.ParseForm() != nil || len(v.PostForm["logout_token"]) != 1 {
		return "", false
	}
	return v.PostForm.Get("logout_token"), true
}

// logoutFailed tells the issuer to give up, or that it might try again.
func (o OIDC) logoutFailed(g *Gateway, v *visit, err error) error {
	g.log.Error("an issuer's logout was not carried out", "site", g.site.Name, "issuer", o.Issuer.Issuer, "error", err, "address", v.at.Address)
	if errors.Is(err, firstfactor.ErrAssertion) {
		return logoutRefused(v, http.StatusBadRequest, "the token does not hold")
	}
	v.w.Header().Set("Retry-After", retryAfter)
	return logoutRefused(v, http.StatusServiceUnavailable, "it cannot be told now")
}

// logoutRefused answers as section 2.8 wants it.
func logoutRefused(v *visit, status int, why string) error {
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	return json.NewEncoder(v.w).Encode(map[string]string{"error": "invalid_request", "error_description": why})
}
