-- The centre's store in PostgreSQL.  Text compares by its bytes, as in the embedded store.
CREATE TABLE centre (
	one integer PRIMARY KEY CHECK (one = 1),
	id text NOT NULL              -- the locals keep acknowledgements under it
);
-- Which opening of a centre the present one is: a connection that comes back asks whether it still is.
CREATE TABLE opening (
	one integer PRIMARY KEY CHECK (one = 1),
	token text NOT NULL
);
-- The last numbers given.
CREATE TABLE counters (
	one integer PRIMARY KEY CHECK (one = 1),
	event bigint NOT NULL,
	conflict bigint NOT NULL,
	quarantine bigint NOT NULL
);
INSERT INTO counters (one, event, conflict, quarantine) VALUES (1, 0, 0, 0);
CREATE TABLE nodes (
	name text COLLATE "C" PRIMARY KEY,
	title text NOT NULL DEFAULT '',
	url text COLLATE "C" UNIQUE,  -- NULL: removed; the records and the position stay
	paused boolean NOT NULL DEFAULT false,
	rotation bigint NOT NULL DEFAULT 0,
	added_at bigint NOT NULL,
	epoch text NOT NULL DEFAULT '',
	cursor bigint NOT NULL DEFAULT 0,
	witness_seq bigint NOT NULL DEFAULT 0,
	witness_head bytea NOT NULL DEFAULT '\x00000000000000000000000000000000',
	generation bigint NOT NULL DEFAULT 0,
	resets bigint NOT NULL DEFAULT 0,
	comparing boolean NOT NULL DEFAULT false,
	rename_to text NOT NULL DEFAULT '',
	probe text NOT NULL DEFAULT '',
	halt smallint NOT NULL DEFAULT 0,
	reconciling boolean NOT NULL DEFAULT false,
	recount boolean NOT NULL DEFAULT false,
	swept boolean NOT NULL DEFAULT false,
	sweep_after text COLLATE "C" NOT NULL DEFAULT '',
	digest_count bigint NOT NULL DEFAULT 0,
	digest_lane0 bigint NOT NULL DEFAULT 0,
	digest_lane1 bigint NOT NULL DEFAULT 0,
	doubt_seq bigint NOT NULL DEFAULT 0,
	doubt_local bytea,            -- digests: count, lanes; 24 bytes, little-endian
	doubt_centre bytea,
	quarantined bigint NOT NULL DEFAULT 0 -- how many rows of quarantine are its
) WITH (fillfactor = 50);         -- written at every exchange that moved something
CREATE TABLE abandoned (
	node text COLLATE "C" NOT NULL,
	epoch text COLLATE "C" NOT NULL,
	witness_seq bigint NOT NULL,
	witness_head bytea NOT NULL,
	PRIMARY KEY (node, epoch)
);
CREATE TABLE records (
	owner text COLLATE "C" NOT NULL,
	id text COLLATE "C" NOT NULL,
	type text COLLATE "C" NOT NULL,
	body json NOT NULL,           -- keeps its bytes, as jsonb does not
	deleted boolean NOT NULL,
	actor bigint NOT NULL,        -- the dot
	n bigint NOT NULL,
	vv bytea,                     -- NULL: only the dot
	h0 bigint NOT NULL,           -- the hash's halves
	h1 bigint NOT NULL,
	local_h0 bigint,              -- the version the owner is known to hold; NULL: none,
	local_h1 bigint,
	local_generation bigint NOT NULL, -- valid only while this is the node's generation
	refused boolean,              -- true: the owner rejected this version; not offered again until it changes,
	                              -- the node is reset or the store is opened anew
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	clock_error bigint,
	-- To be pushed.  A column, so that an update that leaves it as it is need not touch the index.
	differs boolean NOT NULL GENERATED ALWAYS AS
		((h0 IS DISTINCT FROM local_h0 OR h1 IS DISTINCT FROM local_h1) AND refused IS NULL) STORED,
	PRIMARY KEY (owner, id)
);
-- What is to be pushed is what differs; an ordinary pull never touches these indexes.
CREATE INDEX records_differ ON records (owner, id) WHERE differs;
CREATE INDEX records_refused ON records (owner, id) WHERE refused IS NOT NULL;
-- Losers of conflicts and versions put aside, whole.
CREATE TABLE conflicts (
	conflict bigint PRIMARY KEY,
	at bigint NOT NULL,
	why text NOT NULL,            -- conflict, centre_restored, superseded
	owner text COLLATE "C" NOT NULL,
	id text COLLATE "C" NOT NULL,
	type text COLLATE "C" NOT NULL,
	body json NOT NULL,
	deleted boolean NOT NULL,
	actor bigint NOT NULL,
	n bigint NOT NULL,
	vv bytea,
	h0 bigint NOT NULL,
	h1 bigint NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	clock_error bigint,
	UNIQUE (owner, id, h0, h1)
);
-- Versions of a local that this store, or the checks of a record, refuse: the line as it came.
CREATE TABLE quarantine (
	quarantine bigint PRIMARY KEY,
	at bigint NOT NULL,
	owner text COLLATE "C" NOT NULL,
	id text COLLATE "C" NOT NULL,
	h0 bigint NOT NULL,           -- as the line says: what the local's digest counts
	h1 bigint NOT NULL,
	seq bigint NOT NULL,          -- in the local's log
	generation bigint NOT NULL,   -- the local is known to hold it while this is the node's
	line bytea NOT NULL,
	why text NOT NULL,
	attempts bigint NOT NULL DEFAULT 0, -- tried again since
	tried_at bigint,
	UNIQUE (owner, id, h0, h1)
);
CREATE VIEW quarantine_held AS SELECT q.owner, q.id, q.h0, q.h1
	FROM quarantine AS q JOIN nodes AS n ON n.name = q.owner AND n.generation = q.generation;
CREATE TABLE events (
	event bigint PRIMARY KEY,
	at bigint NOT NULL,
	level smallint NOT NULL,
	kind text NOT NULL,
	node text COLLATE "C",
	text text NOT NULL
);
CREATE INDEX events_node ON events (node, event);
