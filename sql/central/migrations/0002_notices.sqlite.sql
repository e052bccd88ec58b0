-- What receivers are to be told: events that are bad enough, copied in their transaction, so that those that go by
-- (a busy centre has many) take nothing along that has not been told.
CREATE TABLE notices (
	notice INTEGER PRIMARY KEY,   -- the event's number
	at INTEGER NOT NULL,
	level INTEGER NOT NULL,
	kind TEXT NOT NULL,
	node TEXT,
	text TEXT NOT NULL
);
CREATE INDEX notices_node ON notices (node, notice);
CREATE TABLE receivers (
	receiver TEXT PRIMARY KEY,    -- a hash of its URL or command
	position INTEGER NOT NULL,    -- the last notice it took
	dropped INTEGER NOT NULL DEFAULT 0 -- that went by before it took them, and it was not told
) WITHOUT ROWID;
-- Batches, their outcome.  One that is under way stays as it is until it was taken, whoever restarts meanwhile.
CREATE TABLE deliveries (
	delivery INTEGER PRIMARY KEY AUTOINCREMENT,
	receiver TEXT NOT NULL,
	shown TEXT NOT NULL,          -- the receiver for people, without secrets
	first INTEGER NOT NULL,       -- its notices: from this one
	last INTEGER NOT NULL,        -- to this one,
	notices INTEGER NOT NULL,     -- so many
	dropped INTEGER NOT NULL,
	begun_at INTEGER NOT NULL,
	tried_at INTEGER,             -- the last attempt's end
	attempts INTEGER NOT NULL DEFAULT 0,
	outcome INTEGER NOT NULL DEFAULT 0, -- 0 under way, 1 taken, 2 the receiver was removed
	took INTEGER,                 -- microseconds
	answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX deliveries_under_way ON deliveries (receiver) WHERE outcome = 0;
