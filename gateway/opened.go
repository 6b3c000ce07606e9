package gateway

import (
	"strings"

	"github.com/stepgate/stepgate/sessions"
)

// maxOpened bounds what a session near keeps in memory of its cookies, in
// bytes.
const maxOpened = 2 << 10

// openCookies makes the console's cookies of a verified request's. Most
// browsers send one line again and again, which opens to the same: its last
// result stays in memory with the session, for the console that it was opened
// for (a reload may bring another description).
func (g *Gateway) openCookies(v *visit) {
	if len(v.sent) == 1 && g.openedBefore(v) {
		return
	}
	g.site.Console.OpenCookies(v.Header, g.keeper(v))
	got := v.Header["Cookie"]
	if len(v.sent) == 1 && len(got) == 1 && len(v.sent[0])+len(got[0]) <= maxOpened {
		v.session.Opened.Store(&sessions.Opened{For: g.site.Console, Sent: strings.Clone(v.sent[0]), Console: got[0]})
	}
}

func (g *Gateway) openedBefore(v *visit) bool {
	last := v.session.Opened.Load()
	if last == nil || last.For != g.site.Console || last.Sent != v.sent[0] {
		return false
	}
	v.opened[0] = last.Console
	v.Header["Cookie"] = v.opened[:]
	return true
}
