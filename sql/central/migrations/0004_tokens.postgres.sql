-- Who may ask the centre what.  Of a token only its hash is here: whoever reads this table cannot use it.
CREATE TABLE tokens (
	name text COLLATE "C" PRIMARY KEY,
	role text NOT NULL,           -- viewer, operator, admin
	hash text NOT NULL,
	created_at bigint NOT NULL,
	created_by text NOT NULL,
	expires_at bigint,            -- NULL: never
	last_used_at bigint           -- the beginning of that hour; NULL: not yet
);
