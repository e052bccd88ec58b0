-- What db_lite.c and store_sql_counts.c ask for themselves.

-- Another number than last time on the same connection: somebody else has written.
-- name: data_version
PRAGMA data_version;

-- What waits to be pushed: what differs, and what a sweep that has not ended has left.
-- name: counts_push
SELECT count(*), min(updated_at) FROM records INDEXED BY records_differ
WHERE owner = $1 AND (h0 IS NOT local_h0 OR h1 IS NOT local_h1) AND refused IS NULL
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)
UNION ALL SELECT count(*), min(r.updated_at) FROM nodes AS n CROSS JOIN records AS r
WHERE n.name = $1 AND n.swept = 0 AND r.owner = n.name AND r.id > n.sweep_after AND r.local_generation <> n.generation
	AND ((r.h0 IS r.local_h0 AND r.h1 IS r.local_h1) OR r.refused IS NOT NULL)
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = r.owner AND q.id = r.id);
-- name: counts_rejected
SELECT count(*) FROM records INDEXED BY records_refused WHERE owner = $1 AND refused IS NOT NULL;
