-- What db_postgres.c and store_sql_bulk.c ask for themselves: many rows at once.
--
-- Each row is found by its whole key, in a LATERAL query of its own that OFFSET 0 keeps apart.  As a plain join the planner,
-- while it knows nothing of the table, would read all rows of the owner and compare each with each that is asked for; a new
-- store's first session would keep that plan, and need 10 s for what takes 15 ms.  So an UPDATE finds places (ctid) that way:
-- the owner's lock is held, nobody moves them.

-- name: owners_lock
SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key;

-- Which of these the store has, and what they are.
-- name: bulk_look
SELECT asked.place, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.local_h0, r.local_h1, r.local_generation, r.refused
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
CROSS JOIN LATERAL (SELECT * FROM records WHERE owner = $2 AND id = asked.id OFFSET 0) AS r;
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
-- What other pages of the transaction have staged is there too.
-- name: bulk_replace
UPDATE records AS r SET type = s.type, body = s.body, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = s.local_generation, refused = NULL
FROM staged AS s
CROSS JOIN LATERAL (SELECT ctid AS at FROM records WHERE owner = $1 AND id = s.id OFFSET 0) AS found
WHERE s.owner = $1 AND r.ctid = found.at;
-- name: bulk_replace_few
UPDATE records AS r SET type = s.type, body = s.body::json, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = $1, refused = NULL
FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[],
	$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
	AS s (id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error)
CROSS JOIN LATERAL (SELECT ctid AS at FROM records WHERE owner = $14 AND id = s.id OFFSET 0) AS found
WHERE r.ctid = found.at;
