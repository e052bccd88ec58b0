-- Who may ask the centre what.  Of a token only its hash is here: whoever reads this table cannot use it.
CREATE TABLE tokens (
	name TEXT PRIMARY KEY,
	role TEXT NOT NULL,           -- viewer, operator, admin
	hash TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires_at INTEGER,           -- NULL: never
	last_used_at INTEGER          -- the beginning of that hour; NULL: not yet
) WITHOUT ROWID;
