-- Passes lie with the accounts now, where they are not forgotten. A session's
-- id begins with its subject's shard: those without one are over.

-- +goose Up
DROP TABLE passes;
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN waiting TEXT NOT NULL DEFAULT '';
