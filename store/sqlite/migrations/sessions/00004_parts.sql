-- What a challenge waits for lies beside it, in parts. Challenges that run are
-- over: their sessions begin new ones.

-- +goose Up
DROP TABLE challenges;
CREATE TABLE challenges (
	id         TEXT PRIMARY KEY,
	session    BLOB NOT NULL,
	realm      TEXT NOT NULL,
	name       TEXT NOT NULL,
	site       TEXT NOT NULL,
	purpose    TEXT NOT NULL,
	reference  TEXT NOT NULL,
	enroll     INTEGER NOT NULL,
	gate       TEXT NOT NULL,
	opened     TEXT NOT NULL, -- by what the gate was passed
	binds      TEXT NOT NULL,
	instead    TEXT NOT NULL, -- the credential that goes
	strength   TEXT NOT NULL,
	return_to  TEXT NOT NULL,
	escrow     INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	attempts   INTEGER NOT NULL
) STRICT;
CREATE INDEX challenges_expiry ON challenges (expires_at);

CREATE TABLE challenge_parts (
	challenge_id TEXT NOT NULL REFERENCES challenges (id) ON DELETE CASCADE,
	name         TEXT NOT NULL,
	id           TEXT NOT NULL,
	data         BLOB, -- sealed, or a digest; NULL when empty
	expires_at   INTEGER NOT NULL,
	PRIMARY KEY (challenge_id, name)
) STRICT, WITHOUT ROWID;

-- Of passes before, nobody noted what they were worth.
ALTER TABLE sessions ADD COLUMN strength TEXT NOT NULL DEFAULT 'unproved';
