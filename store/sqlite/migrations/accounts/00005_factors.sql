-- More factors than one, contacts, recovery codes, trusted browsers, and what
-- administrators help with. What was bound before was shown to its person.

-- +goose Up
ALTER TABLE accounts ADD COLUMN locked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN rebind_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN preferred TEXT NOT NULL DEFAULT '';

ALTER TABLE credentials ADD COLUMN strength TEXT NOT NULL DEFAULT 'device';
ALTER TABLE credentials ADD COLUMN bound_address TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN bound_browser BLOB NOT NULL DEFAULT x'';
ALTER TABLE credentials ADD COLUMN bound_mark BLOB NOT NULL DEFAULT x''; -- empty for none
ALTER TABLE credentials ADD COLUMN noticed INTEGER NOT NULL DEFAULT TRUE;
ALTER TABLE credentials ADD COLUMN remove_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX credentials_removals ON credentials (remove_at) WHERE remove_at > 0;

CREATE TABLE codes (
	credential TEXT NOT NULL,
	digest     BLOB NOT NULL,
	spent_at   INTEGER NOT NULL,
	PRIMARY KEY (credential, digest),
	FOREIGN KEY (credential) REFERENCES credentials (id) ON DELETE CASCADE
) STRICT;

CREATE TABLE contacts (
	id       TEXT PRIMARY KEY,
	realm    TEXT NOT NULL,
	name     BLOB NOT NULL,
	kind     TEXT NOT NULL,
	address  BLOB NOT NULL, -- sealed
	digest   BLOB NOT NULL, -- keyed
	language TEXT NOT NULL,
	bound_at INTEGER NOT NULL,
	FOREIGN KEY (realm, name) REFERENCES accounts (realm, name)
) STRICT;
CREATE UNIQUE INDEX contacts_subject ON contacts (realm, name, kind);
CREATE INDEX contacts_digest ON contacts (digest);

ALTER TABLE browsers ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0; -- 0: seen_at
ALTER TABLE browsers ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE browsers ADD COLUMN browser BLOB NOT NULL DEFAULT x'';
ALTER TABLE browsers ADD COLUMN trusted_until INTEGER NOT NULL DEFAULT 0;

CREATE TABLE tickets (
	realm      TEXT NOT NULL,
	name       BLOB NOT NULL,
	digest     BLOB NOT NULL,
	expires_at INTEGER NOT NULL,
	PRIMARY KEY (realm, name),
	FOREIGN KEY (realm, name) REFERENCES accounts (realm, name)
) STRICT;
CREATE INDEX tickets_expiry ON tickets (expires_at);

CREATE TABLE requests (
	reference  TEXT PRIMARY KEY,
	realm      TEXT NOT NULL,
	name       BLOB NOT NULL,
	site       TEXT NOT NULL,
	at         INTEGER NOT NULL,
	address    TEXT NOT NULL,
	browser    BLOB NOT NULL,
	mark       BLOB NOT NULL, -- empty for none
	checked    TEXT NOT NULL,
	decision   TEXT NOT NULL,
	decided_by BLOB NOT NULL,
	decided_at INTEGER NOT NULL,
	why        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX requests_open ON requests (realm, name) WHERE decision = 'open';
CREATE INDEX requests_newest ON requests (realm, at);
CREATE INDEX requests_decided ON requests (decided_at) WHERE decided_at > 0;
