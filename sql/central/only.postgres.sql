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
-- name: bulk_replace
UPDATE records AS r SET type = s.type, body = s.body, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = $1, refused = NULL
FROM (SELECT unnest($2::text[]) AS id, unnest($3::text[]) AS type, unnest($4::json[]) AS body,
	unnest($5::boolean[]) AS deleted, unnest($6::bigint[]) AS actor, unnest($7::bigint[]) AS n, unnest($8::bytea[]) AS vv,
	unnest($9::bigint[]) AS h0, unnest($10::bigint[]) AS h1, unnest($11::bigint[]) AS created_at,
	unnest($12::bigint[]) AS updated_at, unnest($13::bigint[]) AS clock_error, unnest($14::tid[]) AS at) AS s
WHERE r.ctid = s.at AND r.owner = $15 AND r.id = s.id;

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
