-- The people who sign in on Stepgate's own page.

-- +goose Up
CREATE TABLE people (
	realm           TEXT NOT NULL,
	name            BLOB NOT NULL,
	created_at      INTEGER NOT NULL,
	password        BLOB NOT NULL, -- sealed; empty until one is set
	set_at          INTEGER NOT NULL,
	link            BLOB, -- the hash of the one-time link's ticket
	link_expires_at INTEGER NOT NULL,
	PRIMARY KEY (realm, name)
) STRICT;
CREATE UNIQUE INDEX people_link ON people (realm, link);
