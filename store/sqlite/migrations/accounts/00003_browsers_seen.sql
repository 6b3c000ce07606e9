-- The index by which browsers go that were not seen for long.

-- +goose Up
CREATE INDEX browsers_seen ON browsers (seen_at);
