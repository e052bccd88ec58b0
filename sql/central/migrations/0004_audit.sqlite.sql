-- The audit: of a change that a person made, who, from where, and what it was before and after.
ALTER TABLE events ADD COLUMN who TEXT;     -- NULL: nobody, it happened by itself
ALTER TABLE events ADD COLUMN address TEXT; -- the peer's; NULL: it came by no request
ALTER TABLE events ADD COLUMN before TEXT;  -- JSON objects; NULL: there was nothing, or is nothing any more
ALTER TABLE events ADD COLUMN after TEXT;
-- What happens by itself, which is most, is in neither.
CREATE INDEX events_audit ON events (event) WHERE who IS NOT NULL;
CREATE INDEX events_who ON events (who, event) WHERE who IS NOT NULL;
