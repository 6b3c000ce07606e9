package accountsql

import (
	"strconv"

	"github.com/stepgate/stepgate/sessions"
)

// browserLife is in nanoseconds, as instants are.
var browserLife = strconv.FormatInt(sessions.BrowserLife.Nanoseconds(), 10)

// Of a browser that was known before first_at was kept, its oldest known
// instant is the first.
const (
	firstSeen   = `CASE WHEN browsers.first_at = 0 THEN browsers.seen_at ELSE browsers.first_at END`
	knowBrowser = `INSERT INTO browsers (realm, name, digest, seen_at, passed_at, first_at, address, browser) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (realm, name, digest) DO UPDATE SET seen_at = excluded.seen_at, passed_at = excluded.passed_at,
			first_at = ` + firstSeen + `, address = excluded.address, browser = excluded.browser
		WHERE browsers.seen_at <= excluded.seen_at`
	findBrowser  = `SELECT passed_at, trusted_until FROM browsers WHERE realm = ? AND name = ? AND digest = ?`
	listBrowsers = `SELECT digest, passed_at, trusted_until, address, browser, ` + firstSeen + `, seen_at
		FROM browsers WHERE realm = ? AND name = ? ORDER BY seen_at DESC, digest LIMIT 100`
	forgetBrowser = `DELETE FROM browsers WHERE realm = ? AND name = ? AND digest = ?`
	forgetPasses  = `UPDATE browsers SET passed_at = 0 WHERE realm = ? AND name = ? AND passed_at > 0`
	trustBrowser  = `UPDATE browsers SET trusted_until = ? WHERE realm = ? AND name = ? AND digest = ?`
	distrust      = `UPDATE browsers SET trusted_until = 0 WHERE realm = ? AND name = ? AND trusted_until > 0`
	shortenTrust  = `UPDATE browsers SET trusted_until = ? WHERE realm = ? AND name = ? AND trusted_until > ?`
)

// sweepBrowsers names seen_at twice, as sweepBudgets does tat.
var sweepBrowsers = `DELETE FROM browsers WHERE (realm, name, digest, seen_at) IN
	(SELECT realm, name, digest, seen_at FROM browsers WHERE seen_at <= ? - ` + browserLife + ` LIMIT ?)`
