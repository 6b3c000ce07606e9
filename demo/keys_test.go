package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func wantKeys(t *testing.T, b *browser, want string) {
	t.Helper()
	if got := b.keys(); got != want {
		t.Fatalf("keys %q, want %q", got, want)
	}
}

func TestKeysBelongToAPerson(t *testing.T) {
	console := NewConsole()
	alice, bob := signIn(t, console, "alice"), signIn(t, console, "bob")
	wantKeys(t, alice, "lk-1001 lk-1002 lk-1003")
	wantKeys(t, bob, "lk-1004 lk-1005")

	token := bob.csrf()
	status(t, bob.post("/keys/delete", "csrf", token, "id", "lk-1001", "confirm", "yes"), http.StatusNotFound)
	status(t, bob.json("DELETE", "/api/keys/lk-1001", `{"confirm":"yes"}`), http.StatusNotFound)
	wantKeys(t, alice, "lk-1001 lk-1002 lk-1003")
}

func TestDeleteByForm(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	token := b.csrf()

	asked := b.post("/keys/delete", "csrf", token, "id", "lk-1002")
	status(t, asked, http.StatusOK)
	contains(t, body(t, asked), `name="confirm" value="yes"`)
	wantKeys(t, b, "lk-1001 lk-1002 lk-1003")

	leadsTo(t, b.post("/keys/delete", "csrf", token, "id", "lk-1002", "confirm", "yes"), "/keys")
	wantKeys(t, b, "lk-1001 lk-1003")
	contains(t, body(t, b.get("/keys")), "Deleted lk-1002 (Nightly backup).")
	if strings.Contains(body(t, b.get("/keys")), "Deleted") {
		t.Error("the notice is shown twice")
	}
	status(t, b.post("/keys/delete", "csrf", token, "id", "lk-1002", "confirm", "yes"), http.StatusNotFound)
}

func TestDeleteByFetch(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	a := b.json("DELETE", "/api/keys/lk-1001", `{"confirm":"yes"}`)
	status(t, a, http.StatusOK)
	contains(t, body(t, a), `{"deleted":"lk-1001"}`)
	wantKeys(t, b, "lk-1002 lk-1003")
}

func TestFetchMustBeJSONAndConfirmed(t *testing.T) {
	b := signIn(t, NewConsole(), "alice")
	plain := httptest.NewRequest("DELETE", "/api/keys/lk-1001", strings.NewReader(`{"confirm":"yes"}`))
	plain.Header.Set("Content-Type", "text/plain")
	status(t, b.send(plain), http.StatusUnsupportedMediaType)
	status(t, b.json("DELETE", "/api/keys/lk-1001", `{}`), http.StatusBadRequest)
	status(t, b.json("DELETE", "/api/keys/lk-1001", `confirm=yes`), http.StatusBadRequest)
	wantKeys(t, b, "lk-1001 lk-1002 lk-1003")
}

func TestFormsNeedTheSessionsOwnToken(t *testing.T) {
	console := NewConsole()
	alice, bob := signIn(t, console, "alice"), signIn(t, console, "bob")
	for _, token := range []string{"", "wrong", bob.csrf()} {
		status(t, alice.post("/keys/delete", "csrf", token, "id", "lk-1001", "confirm", "yes"), http.StatusForbidden)
		status(t, alice.post("/keys", "csrf", token, "label", "Planted"), http.StatusForbidden)
	}
	status(t, alice.post("/keys/delete?csrf="+alice.csrf(), "id", "lk-1001", "confirm", "yes"), http.StatusForbidden)
	wantKeys(t, alice, "lk-1001 lk-1002 lk-1003")
}

func TestCreate(t *testing.T) {
	b := signIn(t, NewConsole(), "bob")
	leadsTo(t, b.post("/keys", "csrf", b.csrf(), "label", ` <b>"Robot"</b> `), "/keys")
	wantKeys(t, b, "lk-1004 lk-1005 lk-1006")
	page := body(t, b.get("/keys"))
	contains(t, page, "Its secret, shown only now")
	contains(t, page, "&lt;b&gt;&#34;Robot&#34;&lt;/b&gt;")
	if strings.Contains(body(t, b.get("/keys")), "Its secret") {
		t.Error("the secret is shown twice")
	}
}

func TestCreateHasBounds(t *testing.T) {
	b := signIn(t, NewConsole(), "bob")
	token := b.csrf()
	status(t, b.post("/keys", "csrf", token, "label", "  "), http.StatusBadRequest)
	status(t, b.post("/keys", "csrf", token, "label", strings.Repeat("x", maxLabel+1)), http.StatusBadRequest)
	for range maxKeys - 2 {
		leadsTo(t, b.post("/keys", "csrf", token, "label", "one more"), "/keys")
	}
	status(t, b.post("/keys", "csrf", token, "label", "too many"), http.StatusConflict)
}

func TestNoKeysIsAnEmptyList(t *testing.T) {
	b := signIn(t, NewConsole(), "bob")
	for _, id := range []string{"lk-1004", "lk-1005"} {
		status(t, b.json("DELETE", "/api/keys/"+id, `{"confirm":"yes"}`), http.StatusOK)
	}
	if got := strings.TrimSpace(body(t, b.get("/api/keys"))); got != "[]" {
		t.Errorf("list %q", got)
	}
	contains(t, body(t, b.get("/keys")), "You have no keys.")
}
