package accountsql

// Standard SQL and what SQLite and PostgreSQL have in common beyond it: ON
// CONFLICT, RETURNING, LIMIT.
const (
	// findAccount has a row for each pair of a credential and a contact.
	findAccount = `SELECT a.state, a.valid_from, a.locked_at, a.rebind_from, a.preferred,
			coalesce(c.id, ''), coalesce(c.factor, ''), coalesce(c.label, ''), c.secret, coalesce(c.last_step, 0), coalesce(c.bound_at, 0),
			coalesce(c.bound_address, ''), coalesce(c.bound_browser, ''), c.bound_mark, coalesce(c.used_at, 0), coalesce(c.strength, 'unproved'),
			coalesce(c.noticed, FALSE), coalesce(c.remove_at, 0),
			(SELECT count(*) FROM codes WHERE credential = c.id AND spent_at = 0),
			coalesce(k.id, ''), coalesce(k.kind, ''), k.address, k.digest, coalesce(k.language, ''), coalesce(k.bound_at, 0)
		FROM accounts a LEFT JOIN credentials c ON c.realm = a.realm AND c.name = a.name
			LEFT JOIN contacts k ON k.realm = a.realm AND k.name = a.name
		WHERE a.realm = ? AND a.name = ? ORDER BY c.bound_at, c.id, k.kind`
	addAccount = `INSERT INTO accounts (realm, name, state, valid_from) VALUES (?, ?, ?, 0) ON CONFLICT (realm, name) DO NOTHING`
	// setState changes the state of an account that is in the one named last.
	setState = `UPDATE accounts SET state = ? WHERE realm = ? AND name = ? AND state = ?`

	spendID    = `INSERT INTO spent (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`
	sweepSpent = `DELETE FROM spent WHERE id IN (SELECT id FROM spent WHERE expires_at <= ? LIMIT ?)`

	endSessions = `INSERT INTO accounts (realm, name, state, valid_from) VALUES (?, ?, ?, ?)
		ON CONFLICT (realm, name) DO UPDATE SET valid_from = excluded.valid_from
		WHERE accounts.valid_from < excluded.valid_from`
	// findEnding counts what ended a session: its own id, all of its subject, or
	// all there were when a backup was brought back.
	findEnding = `SELECT (SELECT count(*) FROM spent WHERE id = ?) +
		(SELECT count(*) FROM accounts WHERE realm = ? AND name = ? AND valid_from > ?) +
		(SELECT count(*) FROM meta WHERE name = ? AND value > ?)`

	findMeta   = `SELECT value FROM meta WHERE name = ?`
	setMeta    = `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	insertMeta = `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`
)

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
