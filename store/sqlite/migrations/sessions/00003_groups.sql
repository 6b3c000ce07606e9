-- The groups that a first factor's source says a person is in.

-- +goose Up
ALTER TABLE sessions ADD COLUMN member_of TEXT NOT NULL DEFAULT 'null';
-- Sessions of before were verified by a factor of ours: there was no other way.
ALTER TABLE sessions ADD COLUMN passed INTEGER NOT NULL DEFAULT 1;
