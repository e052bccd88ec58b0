-- PostgreSQL's own: IS DISTINCT FROM as the comparison that knows NULL, `differs` as a column of its own, and numbers
-- that are given in the order of commits: the row of `counters` is held until the end, so that a reader who has
-- seen a number never finds a smaller one later.

-- name: event_add
WITH next AS (UPDATE counters SET event = event + 1 RETURNING event)
INSERT INTO events (event, at, level, kind, node, text, who, address, before, after)
SELECT next.event, $1::bigint, $2::smallint, $3::text, $4::text, $5::text, $6::text, $7::text, $8::json, $9::json FROM next
RETURNING event;
-- name: delivery_add
WITH next AS (UPDATE counters SET delivery = delivery + 1 RETURNING delivery)
INSERT INTO deliveries (delivery, receiver, shown, first, last, notices, dropped, begun_at)
SELECT next.delivery, $1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint FROM next
RETURNING delivery;
-- name: conflict_add
WITH next AS (UPDATE counters SET conflict = conflict + 1 RETURNING conflict)
INSERT INTO conflicts (conflict, owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at,
	clock_error, at, why)
SELECT next.conflict, $1::text, $2::text, $3::text, $4::json, $5::boolean, $6::bigint, $7::bigint, $8::bytea,
	$9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::bigint, $14::bigint, $15::text
FROM next;

-- name: quarantine_add
WITH next AS (UPDATE counters SET quarantine = quarantine + 1 RETURNING quarantine)
INSERT INTO quarantine (quarantine, at, owner, id, h0, h1, seq, generation, line, why)
SELECT next.quarantine, $1::bigint, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bytea,
	$9::text
FROM next ON CONFLICT (owner, id, h0, h1) DO NOTHING;

-- A row that says so already is not written.
-- name: record_known
UPDATE records SET local_h0 = $1, local_h1 = $2, local_generation = $3, refused = $4
WHERE owner = $5 AND id = $6
	AND (local_h0 IS DISTINCT FROM $1 OR local_h1 IS DISTINCT FROM $2 OR local_generation <> $3
		OR refused IS DISTINCT FROM $4);
-- The lanes are sums mod 2^64, as the bigint of the same bits.
-- name: records_digest
SELECT count(*),
	(mod(coalesce(sum(h0), 0) + 9223372036854775808 + 18446744073709551616 * 9223372036854775808, 18446744073709551616)
		- 9223372036854775808)::bigint,
	(mod(coalesce(sum(h1), 0) + 9223372036854775808 + 18446744073709551616 * 9223372036854775808, 18446744073709551616)
		- 9223372036854775808)::bigint
FROM records WHERE owner = $1;

-- name: records_unrefuse_of
UPDATE records SET refused = NULL WHERE owner = $1 AND refused IS NOT NULL;

-- Pages of a list: of so many rows those that fit.
-- name: records_list_of
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error
FROM (SELECT * FROM records WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3) AS looked
WHERE ($4 = '' OR type = $4) AND deleted <= $5 ORDER BY id LIMIT $6;
-- name: records_list
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error
FROM (SELECT * FROM records WHERE (owner, id) > ($1, $2) ORDER BY owner, id LIMIT $3) AS looked
WHERE ($4 = '' OR type = $4) AND deleted <= $5 ORDER BY owner, id LIMIT $6;

-- name: push_differs
SELECT 1 FROM records WHERE owner = $1 AND differs
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id) LIMIT 1;
-- name: push_refused
SELECT 1 FROM records WHERE owner = $1 AND refused IS NOT NULL LIMIT 1;
-- name: push_differing
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	local_h0, local_h1, local_generation
FROM records WHERE owner = $1 AND id > $2 AND differs
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)
ORDER BY id LIMIT $3;
-- What a reset left behind: not looked at in this generation, and not in the index above.
-- name: push_sweep
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	local_h0, local_h1, local_generation
FROM records WHERE owner = $1 AND id > $2 AND local_generation <> $3 AND NOT differs
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)
ORDER BY id LIMIT $4;
-- Of the rows from one id to another: any that differs or is refused.
-- name: push_disturbed
SELECT 1 FROM records WHERE owner = $1 AND id >= $2 AND id <= $3 AND differs
UNION ALL SELECT 1 FROM records WHERE owner = $1 AND id >= $2 AND id <= $3 AND refused IS NOT NULL
LIMIT 1;
