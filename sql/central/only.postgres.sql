-- What db_postgres.c, store_sql_bulk.c and store_sql_counts.c ask for themselves: many rows at once.
--
-- Each row is found by its whole key, in a LATERAL query of its own that OFFSET 0 keeps apart.  As a plain join the planner,
-- while it knows nothing of the table, would read all rows of the owner and compare each with each that is asked for; a new
-- store's first session would keep that plan, and need 10 s for what takes 15 ms.  So an UPDATE finds places (ctid) that way:
-- the owner's lock is held, nobody moves them.

-- name: owners_lock
SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key;

-- Which of these the store has, where they stand, and what they are.
-- name: bulk_look
SELECT asked.place, r.at, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.local_h0, r.local_h1, r.local_generation, r.refused
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
CROSS JOIN LATERAL (SELECT ctid AS at, * FROM records WHERE owner = $2 AND id = asked.id OFFSET 0) AS r;
-- name: bulk_known
UPDATE records AS r SET local_h0 = known.h0, local_h1 = known.h1, local_generation = $1, refused = NULL
FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS known (id, h0, h1)
CROSS JOIN LATERAL (SELECT ctid AS at FROM records WHERE owner = $5 AND id = known.id OFFSET 0) AS found
WHERE r.ctid = found.at;
-- The same, and which they are, only where that version is held and not known to be.
-- name: bulk_known_same
WITH noted AS (
	UPDATE records AS r SET local_h0 = same.h0, local_h1 = same.h1, local_generation = $1, refused = NULL
	FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS same (id, h0, h1, place)
	CROSS JOIN LATERAL (SELECT ctid AS at FROM records WHERE owner = $5 AND id = same.id OFFSET 0) AS found
	WHERE r.ctid = found.at AND r.h0 = same.h0 AND r.h1 = same.h1 AND r.local_generation <> $1
	RETURNING same.place)
SELECT array_agg(place) FROM noted;
-- Of rows that were looked at in this transaction, where they stood then.  Arrays in the list of a SELECT are walked side by
-- side; each in a FROM would first be written down as a table.
-- The key is compared so that no index serves it: a planner who has not seen the table grow would read all of the owner's rows for each.
-- name: bulk_replace
UPDATE records AS r SET type = s.type, body = s.body, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = $1, refused = NULL
FROM (SELECT unnest($2::text[]) AS id, unnest($3::text[]) AS type, unnest($4::json[]) AS body,
	unnest($5::boolean[]) AS deleted, unnest($6::bigint[]) AS actor, unnest($7::bigint[]) AS n, unnest($8::bytea[]) AS vv,
	unnest($9::bigint[]) AS h0, unnest($10::bigint[]) AS h1, unnest($11::bigint[]) AS created_at,
	unnest($12::bigint[]) AS updated_at, unnest($13::bigint[]) AS clock_error, unnest($14::tid[]) AS at) AS s
WHERE r.ctid = s.at AND r.owner IS NOT DISTINCT FROM $15 AND r.id IS NOT DISTINCT FROM s.id;
-- The same rows, when what takes their place is copied in.
-- name: bulk_remove
DELETE FROM records WHERE ctid = ANY ($1::tid[]) AND owner IS NOT DISTINCT FROM $2;

-- Of many owners at once (store_sql_counts.c), each by an index: what waits to be pushed, which is what differs, and what a sweep that has
-- not ended has left; what their locals rejected; conflicts.
-- name: bulk_counts
SELECT 0, asked.place, found.n, found.oldest
FROM unnest($1::text[]) WITH ORDINALITY AS asked (owner, place)
CROSS JOIN LATERAL (SELECT count(*) AS n, min(updated_at) AS oldest FROM records WHERE owner = asked.owner AND differs
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)) AS found
WHERE found.n > 0
UNION ALL
SELECT 0, asked.place, found.n, found.oldest
FROM unnest($1::text[]) WITH ORDINALITY AS asked (owner, place)
CROSS JOIN LATERAL (SELECT sweep_after, generation FROM nodes WHERE name = asked.owner AND NOT swept OFFSET 0) AS n
CROSS JOIN LATERAL (SELECT count(*) AS n, min(updated_at) AS oldest FROM records
	WHERE owner = asked.owner AND id > n.sweep_after AND local_generation <> n.generation AND NOT differs
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)) AS found
WHERE found.n > 0
UNION ALL
SELECT 1, asked.place, found.n, 0
FROM unnest($2::text[]) WITH ORDINALITY AS asked (owner, place)
CROSS JOIN LATERAL (SELECT count(*) AS n FROM records WHERE owner = asked.owner AND refused IS NOT NULL) AS found
WHERE found.n > 0
UNION ALL
SELECT 2, asked.place, found.n, 0
FROM unnest($3::text[]) WITH ORDINALITY AS asked (owner, place)
CROSS JOIN LATERAL (SELECT count(*) AS n FROM conflicts WHERE owner = asked.owner) AS found
WHERE found.n > 0;

-- Several nodes in one transaction.  As of one: node_get, push_differs, push_refused, and node_sync where nothing but the position and the
-- digest has moved.
-- name: many_nodes
SELECT asked.place, n.at, n.name, n.title, n.url, n.paused, n.rotation, n.added_at, n.epoch, n.cursor, n.witness_seq, n.witness_head, n.generation,
	n.resets, n.comparing, n.rename_to, n.probe, n.halt, n.reconciling, n.recount, n.swept, n.sweep_after, n.digest_count,
	n.digest_lane0, n.digest_lane1, n.doubt_seq, n.doubt_local, n.doubt_centre, n.quarantined
FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place)
CROSS JOIN LATERAL (SELECT ctid AS at, * FROM nodes WHERE name = asked.name OFFSET 0) AS n;
-- name: many_differ
SELECT asked.place, d.differs IS NOT NULL, r.refused IS NOT NULL
FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place)
LEFT JOIN LATERAL (
	SELECT 1 AS differs FROM records WHERE owner = asked.name AND records.differs
		AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)
	LIMIT 1) AS d ON true
LEFT JOIN LATERAL (
	SELECT 1 AS refused FROM records WHERE owner = asked.name AND records.refused IS NOT NULL LIMIT 1) AS r ON true
WHERE d.differs IS NOT NULL OR r.refused IS NOT NULL;
-- As bulk_replace: where the rows stood when they were read in this transaction.
-- name: many_moved
UPDATE nodes AS n SET cursor = m.cursor, witness_seq = m.witness_seq, witness_head = m.witness_head, digest_count = m.digest_count,
	digest_lane0 = m.digest_lane0, digest_lane1 = m.digest_lane1
FROM (SELECT unnest($1::tid[]) AS at, unnest($2::text[]) AS name, unnest($3::bigint[]) AS cursor, unnest($4::bigint[]) AS witness_seq,
	unnest($5::bytea[]) AS witness_head, unnest($6::bigint[]) AS digest_count, unnest($7::bigint[]) AS digest_lane0,
	unnest($8::bigint[]) AS digest_lane1) AS m
WHERE n.ctid = m.at AND n.name IS NOT DISTINCT FROM m.name;
-- Where another has come in between less is written.
-- name: many_nodes_add
INSERT INTO nodes (name, url, added_at) SELECT m.name, m.url, $1::bigint FROM unnest($2::text[], $3::text[]) AS m (name, url)
ON CONFLICT DO NOTHING;
-- Many events; the first one's number.
-- name: many_events
WITH next AS (UPDATE counters SET event = event + $1::bigint RETURNING event - $1 AS before),
added AS (
	INSERT INTO events (event, at, level, kind, node, text, who, address, before, after)
	SELECT next.before + e.place, $2::bigint, e.level::smallint, e.kind, e.node, e.text, e.who, e.address, e.before, e.after
	FROM next, unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::json[], $10::json[])
		WITH ORDINALITY AS e (level, kind, node, text, who, address, before, after, place)
	RETURNING event)
SELECT min(event) FROM added;

-- Records of several owners: bulk_look, bulk_known and bulk_replace.
-- name: many_look
SELECT asked.place, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.local_h0, r.local_h1, r.local_generation, r.refused
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (owner, id, place)
CROSS JOIN LATERAL (SELECT * FROM records WHERE owner = asked.owner AND id = asked.id OFFSET 0) AS r;
-- name: many_known
UPDATE records AS r SET local_h0 = known.h0, local_h1 = known.h1, local_generation = known.generation, refused = NULL
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) AS known (generation, id, h0, h1, owner)
CROSS JOIN LATERAL (SELECT ctid AS at FROM records WHERE owner = known.owner AND id = known.id OFFSET 0) AS found
WHERE r.ctid = found.at;
-- name: many_replace
UPDATE records AS r SET type = s.type, body = s.body, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = s.generation, refused = NULL
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::json[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[],
	$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[])
	AS s (generation, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error, owner)
CROSS JOIN LATERAL (SELECT ctid AS at FROM records WHERE owner = s.owner AND id = s.id OFFSET 0) AS found
WHERE r.ctid = found.at;
