package accountsql

// The account's row is locked by what adds it or by lockAccount, before
// anything is decided that depends on more than one row of a subject.
const (
	lockAccount      = `UPDATE accounts SET state = state WHERE realm = ? AND name = ? RETURNING state`
	prefer           = `UPDATE accounts SET preferred = ? WHERE realm = ? AND name = ?`
	setLocked        = `UPDATE accounts SET locked_at = ? WHERE realm = ? AND name = ?`
	requireRebinding = `UPDATE accounts SET rebind_from = ? WHERE realm = ? AND name = ?`
	endRebinding     = `UPDATE accounts SET rebind_from = 0 WHERE realm = ? AND name = ? AND rebind_from > 0
		AND NOT EXISTS (SELECT 1 FROM credentials c
			WHERE c.realm = accounts.realm AND c.name = accounts.name AND c.bound_at < accounts.rebind_from)`
)

const (
	insertCredential = `INSERT INTO credentials
		(id, realm, name, factor, label, secret, last_step, bound_at, used_at, strength, bound_address, bound_browser, bound_mark, noticed, remove_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	findHeld         = `SELECT id, factor, remove_at FROM credentials WHERE realm = ? AND name = ?`
	deleteCredential = `DELETE FROM credentials WHERE id = ? AND realm = ? AND name = ?`
	deleteRecovery   = `DELETE FROM credentials WHERE realm = ? AND name = ? AND factor = 'recovery'`
	renameCredential = `UPDATE credentials SET label = ? WHERE id = ? AND realm = ? AND name = ?`
	planRemoval      = `UPDATE credentials SET remove_at = ? WHERE id = ? AND realm = ? AND name = ?`
	noticeCredential = `UPDATE credentials SET noticed = TRUE WHERE realm = ? AND name = ? AND bound_at <= ? AND noticed = FALSE`

	// A credential counts while its removal is not due. Its use cancels that.
	counts      = `id = ? AND (remove_at = 0 OR remove_at > ?)`
	advanceStep = `UPDATE credentials SET last_step = ?, used_at = CASE WHEN used_at < ? THEN ? ELSE used_at END,
		remove_at = CASE WHEN CAST(? AS BIGINT) > 0 THEN 0 ELSE remove_at END WHERE ` + counts + ` AND last_step < ?`
	findCounting = `SELECT id FROM credentials WHERE ` + counts
	noteUse      = `UPDATE credentials SET used_at = CASE WHEN used_at < ? THEN ? ELSE used_at END, remove_at = 0 WHERE ` + counts

	// sweepCredentials names remove_at twice, as sweepBudgets does tat. It
	// leaves who would have recovery codes at most what there is.
	sweepCredentials = `DELETE FROM credentials WHERE (id, remove_at) IN
		(SELECT c.id, c.remove_at FROM credentials c WHERE c.remove_at > 0 AND c.remove_at <= ? AND (c.factor = 'recovery' OR EXISTS
			(SELECT 1 FROM credentials o WHERE o.realm = c.realm AND o.name = c.name AND o.factor <> 'recovery' AND o.remove_at = 0))
		LIMIT ?)`
)

const (
	insertCode = `INSERT INTO codes (credential, digest, spent_at) VALUES (?, ?, 0)`
	spendCode  = `UPDATE codes SET spent_at = ? WHERE credential = ? AND digest = ? AND spent_at = 0`
	findCode   = `SELECT spent_at FROM codes WHERE credential = ? AND digest = ?`
	countCodes = `SELECT count(*) FROM codes WHERE credential = ? AND spent_at = 0`
)

const (
	findContact   = `SELECT id FROM contacts WHERE realm = ? AND name = ? AND kind = ?`
	ownContact    = `SELECT count(*) FROM contacts WHERE id = ? AND realm = ? AND name = ? AND kind = ?`
	findSharers   = `SELECT DISTINCT realm, name FROM contacts WHERE digest = ?`
	insertContact = `INSERT INTO contacts (id, realm, name, kind, address, digest, language, bound_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	deleteContact = `DELETE FROM contacts WHERE id = ? AND realm = ? AND name = ?`
	// moveCredential makes the credential of one contact that of another.
	moveCredential = `UPDATE credentials SET id = ?, bound_at = ?, used_at = 0, last_step = 0, noticed = FALSE,
		bound_address = ?, bound_browser = ?, bound_mark = ? WHERE id = ? AND realm = ? AND name = ?`
)
