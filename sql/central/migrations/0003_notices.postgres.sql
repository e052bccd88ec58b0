-- What receivers are to be told: events that are bad enough, copied in their transaction, so that those that go by
-- (a busy centre has many) take nothing along that has not been told.
CREATE TABLE notices (
	notice bigint PRIMARY KEY,    -- the event's number
	at bigint NOT NULL,
	level smallint NOT NULL,
	kind text NOT NULL,
	node text COLLATE "C",
	text text NOT NULL
);
CREATE INDEX notices_node ON notices (node, notice);
CREATE TABLE receivers (
	receiver text COLLATE "C" PRIMARY KEY, -- a hash of its URL or command
	position bigint NOT NULL,     -- the last notice it took
	dropped bigint NOT NULL DEFAULT 0 -- that went by before it took them, and it was not told
);
-- Batches, their outcome.  One that is under way stays as it is until it was taken, whoever restarts meanwhile.
CREATE TABLE deliveries (
	delivery bigint PRIMARY KEY,
	receiver text COLLATE "C" NOT NULL,
	shown text NOT NULL,          -- the receiver for people, without secrets
	first bigint NOT NULL,        -- its notices: from this one
	last bigint NOT NULL,         -- to this one,
	notices bigint NOT NULL,      -- so many
	dropped bigint NOT NULL,
	begun_at bigint NOT NULL,
	tried_at bigint,              -- the last attempt's end
	attempts bigint NOT NULL DEFAULT 0,
	outcome smallint NOT NULL DEFAULT 0, -- 0 under way, 1 taken, 2 the receiver was removed
	took bigint,                  -- microseconds
	answer text NOT NULL DEFAULT ''
);
CREATE INDEX deliveries_under_way ON deliveries (receiver) WHERE outcome = 0;
ALTER TABLE counters ADD COLUMN delivery bigint NOT NULL DEFAULT 0;
