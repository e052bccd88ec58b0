-- What db_postgres.c and store_sql_bulk.c ask for themselves: many rows at once.

-- name: owners_lock
SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key;

-- Which of these the store has, and what they are.
-- name: bulk_look
SELECT asked.place, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.local_h0, r.local_h1, r.local_generation, r.refused
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place) JOIN records AS r ON r.owner = $2 AND r.id = asked.id;
-- name: bulk_known
UPDATE records AS r SET local_h0 = known.h0, local_h1 = known.h1, local_generation = $1, refused = NULL
FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS known (id, h0, h1) WHERE r.owner = $5 AND r.id = known.id;
-- The same, and which they are, only where that version is held and not known to be.
-- name: bulk_known_same
WITH noted AS (
	UPDATE records AS r SET local_h0 = same.h0, local_h1 = same.h1, local_generation = $1, refused = NULL
	FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS same (id, h0, h1, place)
	WHERE r.owner = $5 AND r.id = same.id AND r.h0 = same.h0 AND r.h1 = same.h1 AND r.local_generation <> $1
	RETURNING same.place)
SELECT array_agg(place) FROM noted;
-- What other pages of the transaction have staged is there too.
-- name: bulk_replace
UPDATE records AS r SET type = s.type, body = s.body, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = s.local_generation, refused = NULL
FROM staged AS s WHERE r.owner = $1 AND s.owner = $1 AND r.id = s.id;
-- name: bulk_replace_few
UPDATE records AS r SET type = s.type, body = s.body::json, deleted = s.deleted, actor = s.actor, n = s.n, vv = s.vv,
	h0 = s.h0, h1 = s.h1, created_at = s.created_at, updated_at = s.updated_at, clock_error = s.clock_error,
	local_h0 = s.h0, local_h1 = s.h1, local_generation = $1, refused = NULL
FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[],
	$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
	AS s (id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error)
WHERE r.owner = $14 AND r.id = s.id;
