//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// factorsSite is a console behind all factors. %[1]s are the ways to reach people, %[2]s more of the policy.
const factorsSite = `{
	{{.Global}}
	stepgate {
		brand "Example Cloud"
		help "Call 4321 and give the reference shown."
		factors totp passkey sms email recovery
		%[1]s
		policy {
			login_protection required totp passkey sms email
			%[2]s
		}
	}
}
http://localhost:{{.Port}} {
	stepgate console {
		realm staff
		public /healthz
		first_factor console {
			login_page /login
			login POST /login {
				username form user
				success status 303
				success set_cookie console_session
				failure status 401
			}
			subject probe /whoami /user
			session_cookie console_session
		}
	}
	reverse_proxy {{.Upstream}}
}
`

// Walk is one language's way through the pages of all factors.
type Walk struct {
	*Gateway
	SMS   *Provider
	Mails *Mailbox

	t    testing.TB
	lang string
}

// StartWalk runs a gateway that has all factors, with more of the policy.
func StartWalk(t testing.TB, lang, policy string) *Walk {
	t.Helper()
	w := &Walk{SMS: StartProvider(t), Mails: StartMailbox(t), t: t, lang: lang}
	w.Gateway = StartGateway(t, w.caddyfile(policy), &Console{Addr: StartStreaming(t).Addr})
	return w
}

func (w *Walk) caddyfile(policy string) string {
	return fmt.Sprintf(factorsSite, w.SMS.Lines()+"\t\t"+w.Mails.Lines(), policy)
}

// Rules changes the policy while the gateway runs.
func (w *Walk) Rules(policy string) {
	w.t.Helper()
	if err := w.Reload(w.caddyfile(policy)); err != nil {
		w.t.Fatal(err)
	}
}

// Users runs `stepgate users` for the console's people.
func (w *Walk) Users(args ...string) string {
	w.t.Helper()
	args = append([]string{"users"}, append(args, "--realm", "staff", "--why", "a test")...)
	out, err := w.Gateway.Command(args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

var writtenCode = regexp.MustCompile(`\b[0-9A-Z]{4}(-[0-9A-Z]{4}){3}\b`)

// Ticket has an administrator issue one.
func (w *Walk) Ticket(command string, of string) string {
	w.t.Helper()
	out := w.Users(command, of)
	ticket := writtenCode.FindString(out)
	if ticket == "" {
		w.t.Fatalf("users %s prints no ticket:\n%s", command, out)
	}
	return ticket
}

// Browser opens one that speaks the walk's language. What its console complains of fails the test.
func (w *Walk) Browser() *Browser {
	w.t.Helper()
	b := OpenBrowser(w.t)
	b.SetLanguage(w.lang)
	watchConsole(b)
	return b
}

// refusedStatus is how Chromium notes an answer that refuses a form. That is no fault of the page.
var refusedStatus = regexp.MustCompile(`^Failed to load resource: the server responded with a status of 4\d\d`)

// watchConsole fails the test in its end if the browser complained: of scripts, or of what our policy of contents
// forbids.
func watchConsole(b *Browser) {
	var said sync.WaitGroup
	messages := chromedp.Console(b.ctx)
	var all []string
	said.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if (m.Type == chromedp.ConsoleError || m.IsException()) && !refusedStatus.MatchString(m.Text) {
				all = append(all, m.String()+" at "+m.URL)
			}
		}
	})
	b.t.Cleanup(func() { // runs before that which closes the tab
		ctx := b.ctx
		_ = chromedp.Cancel(ctx)
		said.Wait()
		for _, m := range all {
			b.t.Errorf("the browser's console says: %s", m)
		}
	})
}

// Meet looks at a page: axe-core finds nothing, it is not too wide, and there is a picture for people to look at.
func (w *Walk) Meet(b *Browser, name string) {
	w.t.Helper()
	accessible(w.t.(*testing.T), b, name)
	if width := Eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); width > 0 {
		w.t.Errorf("%s is %d pixels too wide", name, width)
	}
	if lang := Eval[string](b, "document.documentElement.lang"); !strings.HasPrefix(lang, w.lang[:2]) {
		w.t.Errorf("%s is in %s", name, lang)
	}
	folder := filepath.Join(checkout(), ".cache", "screenshots", "flows")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		w.t.Fatal(err)
	}
	picture := run(b, "picture", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, w.lang+"-"+name+".png"), picture, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// SignIn passes the console's own form.
func (w *Walk) SignIn(b *Browser, name string) {
	w.t.Helper()
	b.Goto(w.URL + "/login")
	b.Fill("#user", name)
	b.Fill("#password", "open")
	b.Follow("#in")
}

// SignOut is the console's.
func (w *Walk) SignOut(b *Browser) {
	w.t.Helper()
	b.Goto(w.URL + "/")
	b.Follow("#out")
}

// In fails the test unless somebody works in the console.
func (w *Walk) In(b *Browser, name string) {
	w.t.Helper()
	if !b.Has("#name") || b.Text("#name") != name {
		w.t.Fatalf("%s is not in; the browser is at %s:\n%s", name, b.URL(), b.Page())
	}
}

// Way goes to another factor.
func (w *Walk) Way(b *Browser, factor string) {
	w.t.Helper()
	if !Eval[bool](b, `document.querySelector(".others").open`) {
		b.Click(".others summary")
	}
	b.Follow(`.others button[value="` + factor + `"]`)
}

// Enter types a code that was sent or written.
func (w *Walk) Enter(b *Browser, code string) int {
	w.t.Helper()
	b.Fill("#code", code)
	return b.Follow("#answer button:not([name])")
}

// BindContact goes from the page that asks for a number or address through those that make it a factor.
func (w *Walk) BindContact(b *Browser, kind, to string, box *inbox) {
	w.t.Helper()
	w.Meet(b, "bind-"+kind+"-1-address")
	b.Fill("#address", to)
	b.Follow("#contact button")
	w.Meet(b, "bind-"+kind+"-2-code")
	w.Enter(b, box.Code(w.t, to))
	w.Meet(b, "bind-"+kind+"-3-enable")
	b.Follow("#enable button")
}

// Says is a text of the pages and messages in the walk's language.
func (w *Walk) Says(key string) string {
	w.t.Helper()
	source, err := os.ReadFile(filepath.Join(checkout(), "templates", "texts."+w.lang[:2]+".json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(source, &texts); err != nil || texts[key] == "" {
		w.t.Fatalf("no text %s: %v", key, err)
	}
	return texts[key]
}

// Security opens the person's security page.
func (w *Walk) Security(b *Browser) {
	w.t.Helper()
	b.Goto(w.URL + "/.stepgate/security")
}

// Ask follows a link of the security page to what asks about a change, and shows it.
func (w *Walk) Ask(b *Browser, change, picture string) {
	w.t.Helper()
	w.Security(b)
	b.Follow(`a[href*="/security/` + change + `"]`)
	w.Meet(b, picture)
}

// Change is Ask, and then does it.
func (w *Walk) Change(b *Browser, change, picture string) {
	w.t.Helper()
	w.Ask(b, change, picture)
	w.Do(b)
}

// Do says yes to what a page of the security page asks.
func (w *Walk) Do(b *Browser) {
	w.t.Helper()
	b.Follow("main form:not(#own) button")
}

// Done fails the test unless the security page says that this was done.
func (w *Walk) Done(b *Browser, what string) {
	w.t.Helper()
	if !b.Has("[role=status]") || b.Text("[role=status]") != w.Says("done."+what) {
		w.t.Fatalf("%s is not done; the browser is at %s:\n%s", what, b.URL(), b.Page())
	}
}
