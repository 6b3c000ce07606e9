package sqlite

// A session is found while it has expired neither absolutely nor by idleness,
// at the instant that the caller names.
const (
	sessionColumns = `id, family, site, source, realm, name, level, amr, began_at, auth_time,
		seen_at, expires_at, idle, challenge, waiting, bound, address, browser, member_of, passed, strength`
	insertSession = `INSERT INTO sessions (` + sessionColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
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

// A part counts only as long as its challenge, with which it is removed.
const (
	challengeColumns = `id, session, realm, name, site, purpose, reference, enroll, gate, opened, binds, instead,
		strength, return_to, escrow, created_at, expires_at, attempts`
	insertChallenge = `INSERT INTO challenges (` + challengeColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	findChallenge = `SELECT ` + challengeColumns + ` FROM challenges WHERE id = ? AND expires_at > ?`
	spendAttempt  = `UPDATE challenges SET attempts = attempts + 1
		WHERE id = ? AND expires_at > ? AND attempts < ? RETURNING attempts`
	openGate = `UPDATE challenges SET opened = ?, strength = ?
		WHERE id = ? AND expires_at > ? AND opened = ''`
	deleteChallenge = `DELETE FROM challenges WHERE id = ?`
	sweepChallenges = `DELETE FROM challenges WHERE id IN
		(SELECT id FROM challenges WHERE expires_at <= ? LIMIT ?)`

	partColumns = `name, id, data, expires_at`
	putPart     = `INSERT INTO challenge_parts (` + partColumns + `, challenge_id)
		SELECT ?, ?, ?, ?, id FROM challenges WHERE id = ? AND expires_at > ?
		ON CONFLICT (challenge_id, name) DO UPDATE
		SET id = excluded.id, data = excluded.data, expires_at = excluded.expires_at`
	keepPart  = putPart + ` WHERE challenge_parts.expires_at <= ?`
	findPart  = `SELECT ` + partColumns + ` FROM challenge_parts WHERE challenge_id = ? AND name = ?`
	findParts = `SELECT ` + partColumns + ` FROM challenge_parts WHERE challenge_id = ?`
	takePart  = `DELETE FROM challenge_parts
		WHERE challenge_id = ? AND name = ? AND id = ? AND expires_at > ?
		AND challenge_id IN (SELECT id FROM challenges WHERE expires_at > ?)
		RETURNING ` + partColumns
)

const (
	putEscrow    = `INSERT INTO escrows (id, content, expires_at) VALUES (?, ?, ?)`
	takeEscrow   = `DELETE FROM escrows WHERE id = ? AND expires_at > ? RETURNING content`
	sweepEscrows = `DELETE FROM escrows WHERE id IN
		(SELECT id FROM escrows WHERE expires_at <= ? LIMIT ?)`
)
