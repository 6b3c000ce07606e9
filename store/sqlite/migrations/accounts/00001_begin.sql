-- Instants are nanoseconds since 1970, 0 for none. What people and clients
-- choose (names, User-Agents) is kept as bytes: it need not be UTF-8.

-- +goose Up
CREATE TABLE accounts (
	realm      TEXT NOT NULL,
	name       BLOB NOT NULL,
	state      TEXT NOT NULL,
	valid_from INTEGER NOT NULL,
	PRIMARY KEY (realm, name)
) STRICT;

CREATE TABLE credentials (
	id        TEXT PRIMARY KEY,
	realm     TEXT NOT NULL,
	name      BLOB NOT NULL,
	factor    TEXT NOT NULL,
	label     BLOB NOT NULL, -- what the person calls it
	secret    BLOB NOT NULL, -- sealed
	last_step INTEGER NOT NULL,
	bound_at  INTEGER NOT NULL,
	used_at   INTEGER NOT NULL,
	FOREIGN KEY (realm, name) REFERENCES accounts (realm, name)
) STRICT;
CREATE INDEX credentials_subject ON credentials (realm, name);

CREATE TABLE browsers (
	realm   TEXT NOT NULL,
	name    BLOB NOT NULL,
	digest  BLOB NOT NULL,
	seen_at INTEGER NOT NULL,
	PRIMARY KEY (realm, name, digest)
) STRICT;

CREATE TABLE spent (
	id         BLOB PRIMARY KEY,
	expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX spent_expiry ON spent (expires_at);

-- One theoretical arrival time (GCRA) for each key and period.
CREATE TABLE budgets (
	budget BLOB NOT NULL,
	period INTEGER NOT NULL,
	tat    INTEGER NOT NULL,
	PRIMARY KEY (budget, period)
) STRICT;
CREATE INDEX budgets_refilled ON budgets (tat);

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT;

CREATE TABLE audit (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	at        INTEGER NOT NULL,
	event     TEXT NOT NULL,
	site      TEXT NOT NULL,
	realm     TEXT NOT NULL,
	name      BLOB NOT NULL,
	reasons   TEXT NOT NULL,
	reference TEXT NOT NULL,
	address   TEXT NOT NULL,
	browser   BLOB NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_subject ON audit (realm, name, at);
CREATE INDEX audit_reference ON audit (reference);
