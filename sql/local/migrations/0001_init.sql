-- The database of a local node.  One row of state; the newest version of each record, by its place in the log.
CREATE TABLE state (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	node TEXT NOT NULL,
	epoch TEXT NOT NULL,          -- 32 hex digits, random, made with the database
	seq INTEGER NOT NULL,         -- the log's end
	head BLOB NOT NULL,           -- chained over every change up to seq
	digest_count INTEGER NOT NULL,
	digest_lane0 INTEGER NOT NULL,
	digest_lane1 INTEGER NOT NULL
);
CREATE TABLE records (
	seq INTEGER PRIMARY KEY,      -- where this version stands in the log; the feed reads by it
	id TEXT NOT NULL UNIQUE,
	type TEXT NOT NULL,
	body TEXT NOT NULL,
	deleted INTEGER NOT NULL,
	actor INTEGER NOT NULL,       -- the dot
	n INTEGER NOT NULL,
	vv BLOB,                      -- NULL: only the dot
	h0 INTEGER NOT NULL,          -- the hash's halves
	h1 INTEGER NOT NULL,
	head BLOB NOT NULL,           -- the log's head at seq
	created_at INTEGER NOT NULL,  -- µs since 1970
	updated_at INTEGER NOT NULL,
	clock_error INTEGER           -- µs; NULL: not synchronised
);
-- Heads of places in the log whose row has been overwritten, so that a centre's witness can be looked up.
CREATE TABLE positions (
	seq INTEGER PRIMARY KEY,
	head BLOB NOT NULL
);
-- Up to where each centre holds everything.
CREATE TABLE acknowledgements (
	centre TEXT PRIMARY KEY,
	seq INTEGER NOT NULL,
	head BLOB NOT NULL,
	at INTEGER NOT NULL
);
