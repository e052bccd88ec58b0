-- The audit: of a change that a person made, who, from where, and what it was before and after.
ALTER TABLE events ADD COLUMN who text COLLATE "C"; -- NULL: nobody, it happened by itself
ALTER TABLE events ADD COLUMN address text; -- the peer's; NULL: it came by no request
ALTER TABLE events ADD COLUMN before json;  -- objects; NULL: there was nothing, or is nothing any more
ALTER TABLE events ADD COLUMN after json;
-- What happens by itself, which is most, is in neither.
CREATE INDEX events_audit ON events (event) WHERE who IS NOT NULL;
CREATE INDEX events_who ON events (who, event) WHERE who IS NOT NULL;
CREATE OR REPLACE VIEW tidemark.events AS
SELECT e.event AS id, tidemark_store.time_of(e.at) AS at,
	CASE e.level WHEN 0 THEN 'error' WHEN 1 THEN 'warn' WHEN 2 THEN 'info' ELSE 'debug' END AS level, e.kind, e.node, e.text,
	e.who, e.address, e.before, e.after
FROM tidemark_store.events AS e;
COMMENT ON COLUMN tidemark.events.who IS 'Who did it: the name of a token, "secret", "anyone", or "settings" for the command line and its file; NULL where it happened by itself.';
COMMENT ON COLUMN tidemark.events.address IS 'Where the request came from; NULL: it came by none.';
COMMENT ON COLUMN tidemark.events.before IS 'What a person changed, as it was; NULL: there was nothing.';
COMMENT ON COLUMN tidemark.events.after IS 'The same as it is since; NULL: it is no more.';
