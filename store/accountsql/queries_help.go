package accountsql

import (
	"strconv"
	"time"
)

// requestLife is how long a decided request can be looked up, in nanoseconds.
var requestLife = strconv.FormatInt((180 * 24 * time.Hour).Nanoseconds(), 10)

// search reads two lists in the order of their keys, each no further than the
// limit. held is a dialect's condition on the name.
func search(held string) string {
	one := func(table string) string {
		return `SELECT name FROM (SELECT name FROM ` + table + ` WHERE realm = ? AND name > ? AND ` + held + ` ORDER BY name LIMIT ?) AS of_` + table
	}
	return one("accounts") + ` UNION ` + one("people") + ` ORDER BY name LIMIT ?`
}

const (
	issueTicket = `INSERT INTO tickets (realm, name, digest, expires_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (realm, name) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at`
	redeemTicket = `DELETE FROM tickets WHERE realm = ? AND name = ? AND digest = ? AND expires_at > ?`
	voidTicket   = `DELETE FROM tickets WHERE realm = ? AND name = ?`
	// sweepTickets names expires_at twice, as sweepBudgets does tat.
	sweepTickets = `DELETE FROM tickets WHERE (realm, name, expires_at) IN
		(SELECT realm, name, expires_at FROM tickets WHERE expires_at <= ? LIMIT ?)`
)

const (
	requestColumns = `reference, realm, name, site, at, address, browser, mark, checked, decision, decided_by, decided_at, why`
	// fileRequest also locks the open request that it leaves as it is.
	fileRequest = `INSERT INTO requests (` + requestColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (realm, name) WHERE decision = 'open' DO UPDATE SET reference = excluded.reference, site = excluded.site, at = excluded.at,
			address = excluded.address, browser = excluded.browser, mark = excluded.mark, checked = excluded.checked
		WHERE requests.checked = '' AND excluded.checked <> ''`
	findOpen       = `SELECT ` + requestColumns + ` FROM requests WHERE realm = ? AND name = ? AND decision = 'open'`
	findRequest    = `SELECT ` + requestColumns + ` FROM requests WHERE reference = ?`
	findRequests   = `SELECT ` + requestColumns + ` FROM requests WHERE realm = ?`
	ofDecision     = ` AND decision = ?`
	newestRequests = ` ORDER BY at DESC, reference LIMIT ?`
	decideRequest  = `UPDATE requests SET decision = ?, decided_by = ?, decided_at = ?, why = ? WHERE reference = ? AND decision = 'open'`
)

var sweepRequests = `DELETE FROM requests WHERE reference IN
	(SELECT reference FROM requests WHERE decided_at > 0 AND decided_at <= ? - ` + requestLife + ` LIMIT ?)`
