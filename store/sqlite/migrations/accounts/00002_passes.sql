-- When a subject last passed in a browser, which moved here from the sessions.

-- +goose Up
ALTER TABLE browsers ADD COLUMN passed_at INTEGER NOT NULL DEFAULT 0;
