package accountsql

import (
	"strconv"

	"github.com/stepgate/stepgate/sessions"
)

// browserLife is in nanoseconds, as instants are.
var browserLife = strconv.FormatInt(sessions.BrowserLife.Nanoseconds(), 10)

// Standard SQL and what SQLite and PostgreSQL have in common beyond it: ON
// CONFLICT, RETURNING, LIMIT.
const (
	findAccount = `SELECT a.state, a.valid_from, c.id, c.factor, c.label, c.secret, c.last_step, c.bound_at, c.used_at
		FROM accounts a LEFT JOIN credentials c ON c.realm = a.realm AND c.name = a.name
		WHERE a.realm = ? AND a.name = ? ORDER BY c.bound_at, c.id`
	addAccount = `INSERT INTO accounts (realm, name, state, valid_from) VALUES (?, ?, ?, 0) ON CONFLICT (realm, name) DO NOTHING`
	// setState changes the state of an account that is in the one named last.
	setState         = `UPDATE accounts SET state = ? WHERE realm = ? AND name = ? AND state = ?`
	insertCredential = `INSERT INTO credentials
		(id, realm, name, factor, label, secret, last_step, bound_at, used_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	advanceStep = `UPDATE credentials SET last_step = ?, used_at = CASE WHEN used_at < ? THEN ? ELSE used_at END
		WHERE id = ? AND last_step < ?`
	findStep = `SELECT last_step FROM credentials WHERE id = ?`

	spendID    = `INSERT INTO spent (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`
	sweepSpent = `DELETE FROM spent WHERE id IN (SELECT id FROM spent WHERE expires_at <= ? LIMIT ?)`

	knowBrowser = `INSERT INTO browsers (realm, name, digest, seen_at, passed_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (realm, name, digest) DO UPDATE SET seen_at = excluded.seen_at, passed_at = excluded.passed_at
		WHERE browsers.seen_at <= excluded.seen_at`
	findBrowser  = `SELECT passed_at FROM browsers WHERE realm = ? AND name = ? AND digest = ?`
	forgetPasses = `UPDATE browsers SET passed_at = 0 WHERE realm = ? AND name = ? AND passed_at > 0`

	endSessions = `INSERT INTO accounts (realm, name, state, valid_from) VALUES (?, ?, ?, ?)
		ON CONFLICT (realm, name) DO UPDATE SET valid_from = excluded.valid_from
		WHERE accounts.valid_from < excluded.valid_from`
	// findEnding counts what ended a session: its own id, or all of its subject.
	findEnding = `SELECT (SELECT count(*) FROM spent WHERE id = ?) +
		(SELECT count(*) FROM accounts WHERE realm = ? AND name = ? AND valid_from > ?)`

	findMeta   = `SELECT value FROM meta WHERE name = ?`
	insertMeta = `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`
)

// sweepBrowsers names seen_at twice, as sweepBudgets does tat.
var sweepBrowsers = `DELETE FROM browsers WHERE (realm, name, digest, seen_at) IN
	(SELECT realm, name, digest, seen_at FROM browsers WHERE seen_at <= ? - ` + browserLife + ` LIMIT ?)`

// A budget that is not there is full.
const (
	findBudgets = `SELECT period, tat FROM budgets WHERE budget = ?`
	setBudget   = `INSERT INTO budgets (budget, period, tat) VALUES (?, ?, ?)
		ON CONFLICT (budget, period) DO UPDATE SET tat = excluded.tat`
	// sweepBudgets names tat twice: a budget that somebody charges meanwhile is
	// another row then, and stays.
	sweepBudgets = `DELETE FROM budgets WHERE (budget, period, tat) IN
		(SELECT budget, period, tat FROM budgets WHERE tat <= ? LIMIT ?)`
)

const (
	insertAudit = `INSERT INTO audit (at, event, site, realm, name, reasons, reference, address, browser)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	findAudit    = `SELECT at, event, site, realm, name, reasons, reference, address, browser FROM audit`
	ofSubject    = `realm = ? AND name = ?`
	ofReference  = `reference = ?`
	newestAudits = ` ORDER BY at DESC, seq DESC LIMIT ?`
)
