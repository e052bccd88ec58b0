-- Versions that a push replaced, as they stood in records.
CREATE TABLE replaced (
	seq INTEGER PRIMARY KEY,      -- where the version stood in the log
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	body TEXT NOT NULL,
	deleted INTEGER NOT NULL,
	actor INTEGER NOT NULL,
	n INTEGER NOT NULL,
	vv BLOB,
	h0 INTEGER NOT NULL,
	h1 INTEGER NOT NULL,
	head BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	clock_error INTEGER
);
