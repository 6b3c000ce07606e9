-- Instants are nanoseconds since 1970, 0 for none.

-- +goose Up
CREATE TABLE sessions (
	id         BLOB PRIMARY KEY, -- the hash of the token
	family     BLOB NOT NULL,
	site       TEXT NOT NULL,
	source     TEXT NOT NULL,
	realm      TEXT NOT NULL,
	name       TEXT NOT NULL,
	level      TEXT NOT NULL,
	amr        TEXT NOT NULL,
	began_at   INTEGER NOT NULL,
	auth_time  INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	idle       INTEGER NOT NULL,
	challenge  TEXT NOT NULL,
	bound      TEXT NOT NULL,
	address    TEXT NOT NULL,
	browser    TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_subject ON sessions (realm, name);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE passes (
	realm   TEXT NOT NULL,
	name    TEXT NOT NULL,
	browser BLOB NOT NULL,
	until   INTEGER NOT NULL,
	PRIMARY KEY (realm, name, browser)
) STRICT;
CREATE INDEX passes_expiry ON passes (until);

CREATE TABLE challenges (
	id                 TEXT PRIMARY KEY,
	session            BLOB NOT NULL,
	realm              TEXT NOT NULL,
	name               TEXT NOT NULL,
	site               TEXT NOT NULL,
	purpose            TEXT NOT NULL,
	reference          TEXT NOT NULL,
	enroll             INTEGER NOT NULL,
	return_to          TEXT NOT NULL,
	escrow             INTEGER NOT NULL,
	created_at         INTEGER NOT NULL,
	expires_at         INTEGER NOT NULL,
	attempts           INTEGER NOT NULL,
	pending_id         TEXT NOT NULL,
	pending_key        BLOB,
	pending_expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX challenges_expiry ON challenges (expires_at);

CREATE TABLE escrows (
	id         TEXT PRIMARY KEY,
	content    BLOB, -- sealed; NULL when empty
	expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX escrows_expiry ON escrows (expires_at);
