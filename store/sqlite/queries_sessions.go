package sqlite

// A session is found while it has expired neither absolutely nor by idleness,
// at the instant that the caller names.
const (
	sessionColumns = `id, family, site, source, realm, name, level, amr, began_at, auth_time,
		seen_at, expires_at, idle, challenge, waiting, bound, address, browser, member_of, passed`
	insertSession = `INSERT INTO sessions (` + sessionColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	findSession = `SELECT ` + sessionColumns + ` FROM sessions
		WHERE id = ? AND expires_at > ? AND seen_at > ? - idle`
	listSessions = `SELECT ` + sessionColumns + ` FROM sessions
		WHERE realm = ? AND name = ? AND expires_at > ? AND seen_at > ? - idle`
	touchSession = `UPDATE sessions SET seen_at = ?
		WHERE id = ? AND seen_at < ? AND seen_at > ? - idle`
	endSession    = `DELETE FROM sessions WHERE id = ? RETURNING ` + sessionColumns
	endSubject    = `DELETE FROM sessions WHERE realm = ? AND name = ? RETURNING id`
	sweepSessions = `DELETE FROM sessions WHERE id IN
		(SELECT id FROM sessions WHERE expires_at <= ? LIMIT ?)`
)

const (
	challengeColumns = `id, session, realm, name, site, purpose, reference, enroll, return_to, escrow,
		created_at, expires_at, attempts, pending_id, pending_key, pending_expires_at`
	insertChallenge = `INSERT INTO challenges (` + challengeColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	findChallenge = `SELECT ` + challengeColumns + ` FROM challenges WHERE id = ? AND expires_at > ?`
	spendAttempt  = `UPDATE challenges SET attempts = attempts + 1
		WHERE id = ? AND expires_at > ? AND attempts < ? RETURNING attempts`
	setPending = `UPDATE challenges SET pending_id = ?, pending_key = ?, pending_expires_at = ?
		WHERE id = ? AND expires_at > ? AND pending_expires_at <= ?`
	findPending = `SELECT pending_id, pending_key, pending_expires_at FROM challenges
		WHERE id = ? AND expires_at > ?`
	takeChallenge = `DELETE FROM challenges WHERE id = ? AND expires_at > ?
		RETURNING ` + challengeColumns
	sweepChallenges = `DELETE FROM challenges WHERE id IN
		(SELECT id FROM challenges WHERE expires_at <= ? LIMIT ?)`
)

const (
	putEscrow    = `INSERT INTO escrows (id, content, expires_at) VALUES (?, ?, ?)`
	takeEscrow   = `DELETE FROM escrows WHERE id = ? AND expires_at > ? RETURNING content`
	sweepEscrows = `DELETE FROM escrows WHERE id IN
		(SELECT id FROM escrows WHERE expires_at <= ? LIMIT ?)`
)
