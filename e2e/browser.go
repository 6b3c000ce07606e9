//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience bounds each step in a browser.
const patience = 30 * time.Second

// Browser is one tab of a headless Chromium with a profile of its own. A step that fails ends the test and leaves a
// picture of the page.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// OpenBrowser starts a browser that the test's end closes. Certificates that the gateway made itself are accepted.
func OpenBrowser(t testing.TB) *Browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.IgnoreCertErrors, chromedp.WindowSize(1280, 900))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	return newTab(t, allocator)
}

// Tab opens a further tab of the same profile.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	return newTab(b.t, b.ctx)
}

func newTab(t testing.TB, parent context.Context) *Browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium, which ./test installs: %v", err)
	}
	return &Browser{t, ctx}
}

// run takes one step within the bounds of patience.
func run[T any](b *Browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.fail(what, err)
	}
	return value
}

func (b *Browser) fail(what string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	address, _ := chromedp.Run(ctx, chromedp.Location())
	if picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		keep(b.t, "failed", picture)
	}
	b.t.Fatalf("%s, at %s: %v", what, address, err)
}

// Goto opens an address and waits until it has loaded; an answer of any status counts.
func (b *Browser) Goto(url string) {
	b.t.Helper()
	run(b, "open "+url, chromedp.Navigate(url))
}

// Fill replaces what stands in a field by typing. A page's script may move the focus meanwhile, as WordPress's does a
// moment after loading; a person would look and type again.
func (b *Browser) Fill(selector, text string) {
	b.t.Helper()
	field := chromedp.CSS(selector)
	run(b, "find "+selector, chromedp.WaitVisible(field))
	for range 3 {
		Eval[bool](b, fmt.Sprintf("document.querySelector(%q).select(), true", selector))
		run(b, "fill "+selector, chromedp.SendKeys(field, kb.Delete+text))
		if run(b, "read "+selector, chromedp.Value(field)) == text {
			return
		}
	}
	b.fail("fill "+selector, errors.New("the field does not keep what is typed"))
}

// Click clicks and does not wait for anything that follows.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	run(b, "click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Follow clicks what leads to another page and waits until that has loaded. It returns the page's status.
func (b *Browser) Follow(selector string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
	if err != nil {
		b.fail("follow "+selector, err)
	}
	return int(res.Status)
}

// Back goes one page back in the history.
func (b *Browser) Back() {
	b.t.Helper()
	run(b, "back", chromedp.NavigateBack())
}

// Reload loads the page once more.
func (b *Browser) Reload() {
	b.t.Helper()
	run(b, "reload", chromedp.Reload())
}

// Text waits for an element and returns what a person reads in it.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(run(b, "text of "+selector, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible)))
}

// Page is what a person reads on the whole page now.
func (b *Browser) Page() string {
	b.t.Helper()
	return Eval[string](b, `document.body ? document.body.innerText : ""`)
}

// HTML is the page's source as the browser holds it now.
func (b *Browser) HTML() string {
	b.t.Helper()
	return Eval[string](b, `document.documentElement.outerHTML`)
}

// Has tells whether the page has such an element now, without waiting for it.
func (b *Browser) Has(selector string) bool {
	b.t.Helper()
	return Eval[bool](b, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// Attribute waits for an element and returns one of its attributes, or the empty string.
func (b *Browser) Attribute(selector, name string) string {
	b.t.Helper()
	return run(b, name+" of "+selector, chromedp.AttributeValue(chromedp.CSS(selector), name)).Value
}

// URL is the page's address.
func (b *Browser) URL() string {
	b.t.Helper()
	return run(b, "address", chromedp.Location())
}

// Eval evaluates JavaScript in the page, promises included, whatever its content policy says.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	return run(b, "evaluate", chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Cookies are all that the profile holds, of every host, HttpOnly ones included.
func (b *Browser) Cookies() []*network.Cookie {
	b.t.Helper()
	return run(b, "cookies", func(ctx context.Context, t *chromedp.Target) ([]*network.Cookie, error) {
		res, err := cdp.Call(ctx, t, storage.GetCookies, storage.GetCookiesParams{})
		return res.Cookies, err
	})
}

// SetCookie plants a cookie for the host of url.
func (b *Browser) SetCookie(url, name, value string) {
	b.t.Helper()
	run(b, "plant "+name, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{URL: url, Name: name, Value: value})
		return err
	}))
}

// SetLanguage makes the tab prefer a language, as Accept-Language says it.
func (b *Browser) SetLanguage(tag string) {
	b.t.Helper()
	agent := Eval[string](b, "navigator.userAgent")
	run(b, "language "+tag, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetUserAgentOverride,
			emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: tag})
		return err
	}))
}

// Dark switches between the dark and the light color scheme.
func (b *Browser) Dark(on bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	run(b, scheme, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// Phone gives the tab the size and the touch screen of a small phone.
func (b *Browser) Phone() {
	b.t.Helper()
	run(b, "phone", chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch))
}

// Desktop gives the tab the size of a desk's screen again.
func (b *Browser) Desktop() {
	b.t.Helper()
	run(b, "desktop", chromedp.EmulateViewport(1280, 900))
}

// Screenshot keeps a picture of the whole page under .cache/screenshots, for people to look at.
func (b *Browser) Screenshot(name string) {
	b.t.Helper()
	keep(b.t, name, run(b, "picture", chromedp.FullScreenshot(100)))
}

func keep(t testing.TB, name string, picture []byte) {
	t.Helper()
	folder := filepath.Join(checkout(), ".cache", "screenshots")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := strings.ReplaceAll(t.Name(), "/", "-") + "-" + name + ".png"
	if err := os.WriteFile(filepath.Join(folder, file), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
