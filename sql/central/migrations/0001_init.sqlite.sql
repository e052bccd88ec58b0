-- The centre's embedded store.
CREATE TABLE centre (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	id TEXT NOT NULL              -- the locals keep acknowledgements under it
);
CREATE TABLE nodes (
	name TEXT PRIMARY KEY,
	title TEXT NOT NULL DEFAULT '',
	url TEXT UNIQUE,              -- NULL: removed; the records and the position stay
	paused INTEGER NOT NULL DEFAULT 0,
	rotation INTEGER NOT NULL DEFAULT 0,
	added_at INTEGER NOT NULL,
	epoch TEXT NOT NULL DEFAULT '',
	cursor INTEGER NOT NULL DEFAULT 0,
	witness_seq INTEGER NOT NULL DEFAULT 0,
	witness_head BLOB NOT NULL DEFAULT x'00000000000000000000000000000000',
	generation INTEGER NOT NULL DEFAULT 0,
	resets INTEGER NOT NULL DEFAULT 0,
	comparing INTEGER NOT NULL DEFAULT 0,
	rename_to TEXT NOT NULL DEFAULT '',
	probe TEXT NOT NULL DEFAULT '',
	halt INTEGER NOT NULL DEFAULT 0,
	reconciling INTEGER NOT NULL DEFAULT 0,
	recount INTEGER NOT NULL DEFAULT 0,
	swept INTEGER NOT NULL DEFAULT 0,
	sweep_after TEXT NOT NULL DEFAULT '',
	digest_count INTEGER NOT NULL DEFAULT 0,
	digest_lane0 INTEGER NOT NULL DEFAULT 0,
	digest_lane1 INTEGER NOT NULL DEFAULT 0,
	doubt_seq INTEGER NOT NULL DEFAULT 0,
	doubt_local BLOB,             -- digests: count, lanes; 24 bytes, little-endian
	doubt_centre BLOB,
	quarantined INTEGER NOT NULL DEFAULT 0 -- how many rows of quarantine are its
);
CREATE TABLE abandoned (
	node TEXT NOT NULL,
	epoch TEXT NOT NULL,
	witness_seq INTEGER NOT NULL,
	witness_head BLOB NOT NULL,
	PRIMARY KEY (node, epoch)
) WITHOUT ROWID;
CREATE TABLE records (
	owner TEXT NOT NULL,
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	body TEXT NOT NULL,
	deleted INTEGER NOT NULL,
	actor INTEGER NOT NULL,       -- the dot
	n INTEGER NOT NULL,
	vv BLOB,                      -- NULL: only the dot
	h0 INTEGER NOT NULL,          -- the hash's halves
	h1 INTEGER NOT NULL,
	local_h0 INTEGER,             -- the version the owner is known to hold; NULL: none,
	local_h1 INTEGER,
	local_generation INTEGER NOT NULL, -- valid only while this is the node's generation
	refused INTEGER,              -- 1: the owner rejected this version; not offered again until it changes,
	                              -- the node is reset or the store is opened anew
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	clock_error INTEGER,
	PRIMARY KEY (owner, id)
) WITHOUT ROWID;
-- What is to be pushed is what differs; an ordinary pull never touches these indexes.
CREATE INDEX records_differ ON records (owner, id)
	WHERE (h0 IS NOT local_h0 OR h1 IS NOT local_h1) AND refused IS NULL;
CREATE INDEX records_refused ON records (owner, id) WHERE refused IS NOT NULL;
-- Losers of conflicts and versions put aside, whole.
CREATE TABLE conflicts (
	conflict INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	why TEXT NOT NULL,            -- conflict, centre_restored, superseded
	owner TEXT NOT NULL,
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	body TEXT NOT NULL,
	deleted INTEGER NOT NULL,
	actor INTEGER NOT NULL,
	n INTEGER NOT NULL,
	vv BLOB,
	h0 INTEGER NOT NULL,
	h1 INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	clock_error INTEGER,
	UNIQUE (owner, id, h0, h1)
);
-- Versions of a local that this store, or the checks of a record, refuse: the line as it came.
CREATE TABLE quarantine (
	quarantine INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	owner TEXT NOT NULL,
	id TEXT NOT NULL,
	h0 INTEGER NOT NULL,          -- as the line says: what the local's digest counts
	h1 INTEGER NOT NULL,
	seq INTEGER NOT NULL,         -- in the local's log
	generation INTEGER NOT NULL,  -- the local is known to hold it while this is the node's
	line BLOB NOT NULL,
	why TEXT NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0, -- tried again since
	tried_at INTEGER,
	UNIQUE (owner, id, h0, h1)
);
CREATE VIEW quarantine_held AS SELECT q.owner, q.id, q.h0, q.h1
	FROM quarantine AS q JOIN nodes AS n ON n.name = q.owner AND n.generation = q.generation;
CREATE TABLE events (
	event INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	level INTEGER NOT NULL,
	kind TEXT NOT NULL,
	node TEXT,
	text TEXT NOT NULL
);
CREATE INDEX events_node ON events (node, event);
