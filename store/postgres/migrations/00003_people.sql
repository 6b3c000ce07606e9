-- The people who sign in on Stepgate's own page.

-- +goose Up
CREATE TABLE people (
	realm           TEXT NOT NULL,
	name            BYTEA NOT NULL,
	created_at      BIGINT NOT NULL,
	password        BYTEA NOT NULL, -- sealed; empty until one is set
	set_at          BIGINT NOT NULL,
	link            BYTEA, -- the hash of the one-time link's ticket
	link_expires_at BIGINT NOT NULL,
	PRIMARY KEY (realm, name)
);
CREATE UNIQUE INDEX people_link ON people (realm, link);
