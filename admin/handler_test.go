package admin_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stepgate/stepgate/admin"
	"github.com/stepgate/stepgate/identity"
)

// raw sends what no client of ours would.
func raw(t *testing.T, socket, method, path, body string) (status int, answer string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://stepgate"+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(text)
}

func TestAdminReadsStrictly(t *testing.T) {
	path, o := filepath.Join(folder(t), "a.sock"), newOffice(t)
	serve(t, path).Use(admin.Use{Service: func() *admin.Service { return o.Service }})
	o.bound(t)
	for body, want := range map[string]int{
		``: 400, `{`: 400, `[]`: 400, `{"realm":"staff","name":"alice","why":"x"}{}`: 400, `{"realm":"staff","name":"alice","why":"x","all":true}`: 400,
		`{"realm":"staff","name":1,"why":"x"}`: 400, `{"realm":"staff","name":"alice","why":"` + strings.Repeat("x", 70_000) + `"}`: 400,
		`{"realm":"staff","name":"alice"}`: 400, `{"realm":"staff","name":"bob","why":"x"}`: 404, `{"realm":"staff","name":"alice","why":"x"}`: 200,
	} {
		if status, answer := raw(t, path, http.MethodPost, "/v1/users/end-sessions", body); status != want {
			t.Errorf("%.80s: %d %s", body, status, answer)
		}
	}
	for query, want := range map[string]int{"": 404, "realm=staff": 200, "realm=staff&realm=blog": 400, "realm=staff&all=1": 400, "realm=%zz": 400, "realm=nowhere": 404, "realm=staff@https:%252F%252Fid.test": 200} {
		if status, answer := raw(t, path, http.MethodGet, "/v1/users?"+query, ""); status != want {
			t.Errorf("%s: %d %s", query, status, answer)
		}
	}
	for line, want := range map[string]int{"GET /v1/users/lock": 405, "POST /v1/users/show": 405, "DELETE /v1/users": 405, "GET /": 404, "POST /v1/users/lock/": 404} {
		method, at, _ := strings.Cut(line, " ")
		if status, answer := raw(t, path, method, at, "{}"); status != want {
			t.Errorf("%s: %d %s", line, status, answer)
		}
	}
}

// Names are bytes, whatever JSON can hold.
func TestAdminNamesAreBytes(t *testing.T) {
	path, o := filepath.Join(folder(t), "a.sock"), newOffice(t)
	serve(t, path).Use(admin.Use{Service: func() *admin.Service { return o.Service }})
	client := admin.NewClient(path)
	for _, name := range []string{"caf\xe9", "\xff", "用户", "a&b=c", "<script>", `{"base64":"YQ=="}`, "a\u009b2J", "%", "\ufffd"} {
		in := admin.Expected{Change: at("staff", name), New: true}
		var done admin.Done
		must(t, client.Change(t.Context(), "/v1/users/lock", in, &done))
		a, err := o.store.Account(t.Context(), identity.Subject{Realm: "staff", Name: name})
		must(t, err)
		var shown admin.Shown
		must(t, client.Look(t.Context(), "/v1/users/show", url.Values{"realm": {"staff"}, "name": {name}}, &shown))
		if string(done.Name) != name || a.LockedAt.IsZero() || string(shown.Name) != name {
			t.Errorf("%q became %q, %q, %+v", name, done.Name, shown.Name, a)
		}
	}
	var n admin.Name
	if json.Unmarshal([]byte(`{"base64":1}`), &n) == nil || json.Unmarshal([]byte(`12`), &n) == nil {
		t.Errorf("it is %q", n)
	}
}

func TestAdminListsInPages(t *testing.T) {
	o := newOffice(t)
	for i := range 250 {
		must(t, o.store.SetLocked(t.Context(), identity.Subject{Realm: "staff", Name: "person" + string(rune('a'+i/26)) + string(rune('a'+i%26))}, o.now))
	}
	_, err := o.create(t, "staff", "zoe")
	must(t, err)
	var all []string
	for in, pages := (admin.Search{Realm: "staff"}), 0; ; pages++ {
		page, err := o.Users(t.Context(), in)
		must(t, err)
		for _, u := range page.Users {
			all = append(all, string(u.Name))
		}
		if in.After = page.After; page.After == "" {
			if pages != 2 {
				t.Errorf("%d pages follow the first", pages)
			}
			break
		}
	}
	if len(all) != 251 || all[250] != "zoe" {
		t.Errorf("%d: %q", len(all), all)
	}
	page, err := o.Users(t.Context(), admin.Search{Realm: "staff", Part: "nb"})
	must(t, err)
	if len(page.Users) != 26 {
		t.Errorf("%d with nb", len(page.Users))
	}
}

// A change goes on when who asked for it hangs up.
func TestAdminChangesGoOn(t *testing.T) {
	path, o := filepath.Join(folder(t), "a.sock"), newOffice(t)
	s := serve(t, path)
	s.Use(admin.Use{Service: func() *admin.Service { return o.Service }})
	o.bound(t)
	ctx, hangUp := context.WithCancel(t.Context())
	gone := &leaving{Accounts: o.Accounts, leave: hangUp, heard: make(chan error, 1)}
	o.Accounts = gone
	_ = admin.NewClient(path).Change(ctx, "/v1/users/lock", admin.Expected{Change: at("staff", "alice")}, new(admin.Done))
	must(t, <-gone.heard)
}

// leaving hangs up while somebody is being locked out.
type leaving struct {
	admin.Accounts
	leave func()
	heard chan error
}

func (l *leaving) SetLocked(ctx context.Context, s identity.Subject, at time.Time) error {
	l.leave()
	time.Sleep(50 * time.Millisecond) // until the server has noticed
	err := l.Accounts.SetLocked(ctx, s, at)
	l.heard <- err
	return err
}
