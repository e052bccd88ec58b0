-- SQLite's own: IS as the comparison that knows NULL, and the index that must be used.

-- name: event_add
INSERT INTO events (at, level, kind, node, text, who, address, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING event;
-- name: delivery_add
INSERT INTO deliveries (receiver, shown, first, last, notices, dropped, begun_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING delivery;
-- name: conflict_add
INSERT INTO conflicts (owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error, at, why)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: quarantine_add
INSERT INTO quarantine (at, owner, id, h0, h1, seq, generation, line, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (owner, id, h0, h1) DO NOTHING;

-- A row that says so already is not written.
-- name: record_known
UPDATE records SET local_h0 = $1, local_h1 = $2, local_generation = $3, refused = $4
WHERE owner = $5 AND id = $6
	AND (local_h0 IS NOT $1 OR local_h1 IS NOT $2 OR local_generation IS NOT $3 OR refused IS NOT $4);
-- Counts and lanes to be added up: SQLite's sum() does not wrap, so a row each.
-- name: records_digest
SELECT 1, h0, h1 FROM records WHERE owner = $1;

-- name: records_unrefuse_of
UPDATE records INDEXED BY records_refused SET refused = NULL WHERE owner = $1 AND refused IS NOT NULL;

-- Pages of a list: so many rows are looked at, without their bodies, and those that fit are fetched.  They come in the order of the
-- index, as the subquery gives them one by one; with an ORDER BY all would be read and sorted first.
-- name: records_list_of
SELECT r.owner, r.id, r.type, r.body, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.created_at, r.updated_at, r.clock_error
FROM (SELECT id, type, deleted FROM records WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3) AS looked
CROSS JOIN records AS r ON r.owner = $1 AND r.id = looked.id
WHERE ($4 = '' OR looked.type = $4) AND looked.deleted <= $5 LIMIT $6;
-- name: records_list
SELECT r.owner, r.id, r.type, r.body, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.created_at, r.updated_at, r.clock_error
FROM (SELECT owner, id, type, deleted FROM records WHERE (owner, id) > ($1, $2) ORDER BY owner, id LIMIT $3) AS looked
CROSS JOIN records AS r ON r.owner = looked.owner AND r.id = looked.id
WHERE ($4 = '' OR looked.type = $4) AND looked.deleted <= $5 LIMIT $6;

-- name: push_differs
SELECT 1 FROM records INDEXED BY records_differ WHERE owner = $1 AND (h0 IS NOT local_h0 OR h1 IS NOT local_h1) AND refused IS NULL
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id) LIMIT 1;
-- name: push_refused
SELECT 1 FROM records INDEXED BY records_refused WHERE owner = $1 AND refused IS NOT NULL LIMIT 1;
-- That nothing of the node is in quarantine, as mostly, is asked once, and not of each row.
-- name: push_differing
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	local_h0, local_h1, local_generation
FROM records INDEXED BY records_differ WHERE owner = $1 AND id > $2 AND (h0 IS NOT local_h0 OR h1 IS NOT local_h1) AND refused IS NULL
	AND (NOT EXISTS (SELECT 1 FROM quarantine WHERE owner = $1)
		OR NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id))
ORDER BY id LIMIT $3;
-- What a reset left behind: not looked at in this generation, and not in the index above.
-- name: push_sweep
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	local_h0, local_h1, local_generation
FROM records WHERE owner = $1 AND id > $2 AND local_generation <> $3 AND ((h0 IS local_h0 AND h1 IS local_h1) OR refused IS NOT NULL)
	AND (NOT EXISTS (SELECT 1 FROM quarantine WHERE owner = $1)
		OR NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id))
ORDER BY id LIMIT $4;
-- Of the rows from one id to another: any that differs or is refused.
-- name: push_disturbed
SELECT 1 FROM records INDEXED BY records_differ
WHERE owner = $1 AND id >= $2 AND id <= $3 AND (h0 IS NOT local_h0 OR h1 IS NOT local_h1) AND refused IS NULL
UNION ALL SELECT 1 FROM records INDEXED BY records_refused
WHERE owner = $1 AND id >= $2 AND id <= $3 AND refused IS NOT NULL
LIMIT 1;
