-- Instants are nanoseconds since 1970, 0 for none. What people and clients
-- choose (names, User-Agents) is kept as bytes: it need not be UTF-8.

-- +goose Up
CREATE TABLE accounts (
	realm      TEXT NOT NULL,
	name       BYTEA NOT NULL,
	state      TEXT NOT NULL,
	valid_from BIGINT NOT NULL,
	PRIMARY KEY (realm, name)
);

CREATE TABLE credentials (
	id        TEXT PRIMARY KEY,
	realm     TEXT NOT NULL,
	name      BYTEA NOT NULL,
	factor    TEXT NOT NULL,
	label     BYTEA NOT NULL, -- what the person calls it
	secret    BYTEA NOT NULL, -- sealed
	last_step BIGINT NOT NULL,
	bound_at  BIGINT NOT NULL,
	used_at   BIGINT NOT NULL,
	FOREIGN KEY (realm, name) REFERENCES accounts (realm, name)
);
CREATE INDEX credentials_subject ON credentials (realm, name);

CREATE TABLE browsers (
	realm     TEXT NOT NULL,
	name      BYTEA NOT NULL,
	digest    BYTEA NOT NULL,
	seen_at   BIGINT NOT NULL,
	passed_at BIGINT NOT NULL, -- 0 since the passes were forgotten
	PRIMARY KEY (realm, name, digest)
);

CREATE TABLE spent (
	id         BYTEA PRIMARY KEY,
	expires_at BIGINT NOT NULL
);
CREATE INDEX spent_expiry ON spent (expires_at);

-- One theoretical arrival time (GCRA) for each key and period.
CREATE TABLE budgets (
	budget BYTEA NOT NULL,
	period BIGINT NOT NULL,
	tat    BIGINT NOT NULL,
	PRIMARY KEY (budget, period)
);
CREATE INDEX budgets_refilled ON budgets (tat);

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value BYTEA NOT NULL
);

CREATE TABLE audit (
	seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at        BIGINT NOT NULL,
	event     TEXT NOT NULL,
	site      TEXT NOT NULL,
	realm     TEXT NOT NULL,
	name      BYTEA NOT NULL,
	reasons   TEXT NOT NULL,
	reference TEXT NOT NULL,
	address   TEXT NOT NULL,
	browser   BYTEA NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_subject ON audit (realm, name, at);
CREATE INDEX audit_reference ON audit (reference);
