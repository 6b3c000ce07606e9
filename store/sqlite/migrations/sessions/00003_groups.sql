-- The groups that a first factor's source says a person is in.

-- +goose Up
ALTER TABLE sessions ADD COLUMN member_of TEXT NOT NULL DEFAULT 'null';
