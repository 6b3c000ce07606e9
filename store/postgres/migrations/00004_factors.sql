-- More factors than one, contacts, recovery codes, trusted browsers, and what
-- administrators help with. What was bound before was shown to its person.

-- +goose Up
ALTER TABLE accounts ADD COLUMN locked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN rebind_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN preferred TEXT NOT NULL DEFAULT '';

ALTER TABLE credentials ADD COLUMN strength TEXT NOT NULL DEFAULT 'device';
ALTER TABLE credentials ADD COLUMN bound_address TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN bound_browser BYTEA NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN bound_mark BYTEA NOT NULL DEFAULT ''; -- empty for none
ALTER TABLE credentials ADD COLUMN noticed BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE credentials ADD COLUMN remove_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX credentials_removals ON credentials (remove_at) WHERE remove_at > 0;

CREATE TABLE codes (
	credential TEXT NOT NULL,
	digest     BYTEA NOT NULL,
	spent_at   BIGINT NOT NULL,
	PRIMARY KEY (credential, digest),
	FOREIGN KEY (credential) REFERENCES credentials (id) ON DELETE CASCADE
);

CREATE TABLE contacts (
	id       TEXT PRIMARY KEY,
	realm    TEXT NOT NULL,
	name     BYTEA NOT NULL,
	kind     TEXT NOT NULL,
	address  BYTEA NOT NULL, -- sealed
	digest   BYTEA NOT NULL, -- keyed
	language TEXT NOT NULL,
	bound_at BIGINT NOT NULL,
	FOREIGN KEY (realm, name) REFERENCES accounts (realm, name)
);
CREATE UNIQUE INDEX contacts_subject ON contacts (realm, name, kind);
CREATE INDEX contacts_digest ON contacts (digest);

ALTER TABLE browsers ADD COLUMN first_at BIGINT NOT NULL DEFAULT 0; -- 0: seen_at
ALTER TABLE browsers ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE browsers ADD COLUMN browser BYTEA NOT NULL DEFAULT '';
ALTER TABLE browsers ADD COLUMN trusted_until BIGINT NOT NULL DEFAULT 0;

CREATE TABLE tickets (
	realm      TEXT NOT NULL,
	name       BYTEA NOT NULL,
	digest     BYTEA NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (realm, name),
	FOREIGN KEY (realm, name) REFERENCES accounts (realm, name)
);
CREATE INDEX tickets_expiry ON tickets (expires_at);

CREATE TABLE requests (
	reference  TEXT PRIMARY KEY,
	realm      TEXT NOT NULL,
	name       BYTEA NOT NULL,
	site       TEXT NOT NULL,
	at         BIGINT NOT NULL,
	address    TEXT NOT NULL,
	browser    BYTEA NOT NULL,
	mark       BYTEA NOT NULL, -- empty for none
	checked    TEXT NOT NULL,
	decision   TEXT NOT NULL,
	decided_by BYTEA NOT NULL,
	decided_at BIGINT NOT NULL,
	why        BYTEA NOT NULL
);
CREATE UNIQUE INDEX requests_open ON requests (realm, name) WHERE decision = 'open';
CREATE INDEX requests_newest ON requests (realm, at);
CREATE INDEX requests_decided ON requests (decided_at) WHERE decided_at > 0;
