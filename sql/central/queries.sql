-- What both dialects share.  Values are always bound; $n first appear in order.

-- name: centre_get
SELECT id FROM centre;
-- name: centre_put
INSERT INTO centre (one, id) VALUES (1, $1);

-- name: node_get
SELECT name, title, url, paused, rotation, added_at, epoch, cursor, witness_seq, witness_head, generation,
	resets, comparing, rename_to, probe, halt, reconciling, recount, swept, sweep_after, digest_count, digest_lane0, digest_lane1,
	doubt_seq, doubt_local, doubt_centre, quarantined
FROM nodes WHERE name = $1;
-- name: nodes_all
SELECT name, title, url, paused, rotation, added_at, epoch, cursor, witness_seq, witness_head, generation,
	resets, comparing, rename_to, probe, halt, reconciling, recount, swept, sweep_after, digest_count, digest_lane0, digest_lane1,
	doubt_seq, doubt_local, doubt_centre, quarantined
FROM nodes WHERE url IS NOT NULL ORDER BY name;
-- name: node_of_url
SELECT name FROM nodes WHERE url = $1;
-- name: nodes_count
SELECT count(*) FROM nodes WHERE url IS NOT NULL;
-- name: node_add
INSERT INTO nodes (name, title, url, paused, rotation, added_at) VALUES ($1, $2, $3, $4, $5, $6);
-- name: node_settings
UPDATE nodes SET title = $1, url = $2, paused = $3, rotation = $4, added_at = $5 WHERE name = $6;
-- name: node_sync
UPDATE nodes SET epoch = $1, cursor = $2, witness_seq = $3, witness_head = $4, generation = $5, resets = $6,
	comparing = $7, rename_to = $8, probe = $9, halt = $10, reconciling = $11, recount = $12, swept = $13,
	sweep_after = $14, digest_count = $15, digest_lane0 = $16, digest_lane1 = $17, doubt_seq = $18,
	doubt_local = $19, doubt_centre = $20, quarantined = $21
WHERE name = $22;

-- name: abandoned_get
SELECT witness_seq, witness_head FROM abandoned WHERE node = $1 AND epoch = $2;
-- name: abandoned_add
INSERT INTO abandoned (node, epoch, witness_seq, witness_head) VALUES ($1, $2, $3, $4)
ON CONFLICT (node, epoch) DO NOTHING;
-- name: abandoned_forget
DELETE FROM abandoned WHERE node = $1 AND epoch = $2;

-- name: events_old
SELECT event FROM events WHERE who IS NULL ORDER BY event DESC LIMIT 1 OFFSET $1;
-- name: events_prune
DELETE FROM events WHERE event <= $1 AND who IS NULL;
-- Of the audit what only administrators may do ($1 = 1) is counted by itself: else writes and the like would take its place; and so is who
-- signed in and out ($1 = 2), which everybody may, and over and over.
-- name: audit_old
SELECT event FROM events
WHERE who IS NOT NULL AND (CASE WHEN kind IN ('node.added', 'node.changed', 'node.removed', 'node.rotated', 'node.token_shown', 'token.added', 'token.removed',
	'backup.made', 'reloaded') THEN 1 WHEN kind IN ('session.began', 'session.ended') THEN 2 ELSE 0 END) = $1
ORDER BY event DESC LIMIT 1 OFFSET $2;
-- name: audit_prune
DELETE FROM events
WHERE who IS NOT NULL AND event <= $1
	AND (CASE WHEN kind IN ('node.added', 'node.changed', 'node.removed', 'node.rotated', 'node.token_shown', 'token.added', 'token.removed',
	'backup.made', 'reloaded') THEN 1 WHEN kind IN ('session.began', 'session.ended') THEN 2 ELSE 0 END) = $2;
-- name: events_rising
SELECT event, at, level, kind, node, text, who, address, before, after FROM events
WHERE event > $1 AND event < $2 AND level <= $3 AND ($4 = 1 OR kind NOT IN ('pulled', 'pushed')) ORDER BY event LIMIT $5;
-- name: events_newest
SELECT event, at, level, kind, node, text, who, address, before, after FROM (
	SELECT event, at, level, kind, node, text, who, address, before, after FROM events
	WHERE event > $1 AND event < $2 AND level <= $3 AND ($4 = 1 OR kind NOT IN ('pulled', 'pushed')) ORDER BY event DESC LIMIT $5) AS newest
ORDER BY event;
-- name: events_rising_of
SELECT event, at, level, kind, node, text, who, address, before, after FROM events
WHERE event > $1 AND event < $2 AND level <= $3 AND ($4 = 1 OR kind NOT IN ('pulled', 'pushed')) AND node = $5 ORDER BY event LIMIT $6;
-- name: events_newest_of
SELECT event, at, level, kind, node, text, who, address, before, after FROM (
	SELECT event, at, level, kind, node, text, who, address, before, after FROM events
	WHERE event > $1 AND event < $2 AND level <= $3 AND ($4 = 1 OR kind NOT IN ('pulled', 'pushed')) AND node = $5 ORDER BY event DESC LIMIT $6) AS newest
ORDER BY event;
-- name: events_rising_audit
SELECT event, at, level, kind, node, text, who, address, before, after FROM events
WHERE event > $1 AND event < $2 AND level <= $3 AND who IS NOT NULL AND ($4 = '' OR node = $4) ORDER BY event LIMIT $5;
-- name: events_newest_audit
SELECT event, at, level, kind, node, text, who, address, before, after FROM (
	SELECT event, at, level, kind, node, text, who, address, before, after FROM events
	WHERE event > $1 AND event < $2 AND level <= $3 AND who IS NOT NULL AND ($4 = '' OR node = $4) ORDER BY event DESC LIMIT $5) AS newest
ORDER BY event;
-- name: events_rising_by
SELECT event, at, level, kind, node, text, who, address, before, after FROM events
WHERE event > $1 AND event < $2 AND level <= $3 AND ($4 = '' OR node = $4) AND who = $5 ORDER BY event LIMIT $6;
-- name: events_newest_by
SELECT event, at, level, kind, node, text, who, address, before, after FROM (
	SELECT event, at, level, kind, node, text, who, address, before, after FROM events
	WHERE event > $1 AND event < $2 AND level <= $3 AND ($4 = '' OR node = $4) AND who = $5 ORDER BY event DESC LIMIT $6) AS newest
ORDER BY event;
-- name: events_between
SELECT count(*) FROM events WHERE event > $1 AND event <= $2;
-- name: events_first_of_machines
SELECT event FROM events WHERE event > $1 AND who IS NULL ORDER BY event LIMIT 1;

-- name: events_last
SELECT coalesce(max(event), 0) FROM events;

-- name: notice_add
INSERT INTO notices (notice, at, level, kind, node, text) VALUES ($1, $2, $3, $4, $5, $6);
-- name: notice_state_before
SELECT text FROM notices WHERE node = $1 AND kind = 'node.state' ORDER BY notice DESC LIMIT 1;
-- Those before the newest $1.
-- name: notices_old
SELECT notice FROM notices ORDER BY notice DESC LIMIT 1 OFFSET $1;
-- name: notices_prune
DELETE FROM notices WHERE notice <= $1;
-- name: notices_from
SELECT notice, at, level, kind, node, text FROM notices WHERE notice > $1 AND notice <= $2 ORDER BY notice LIMIT $3;
-- name: notices_waiting
SELECT count(*) FROM notices WHERE notice > $1;
-- name: receiver_get
SELECT position, dropped FROM receivers WHERE receiver = $1;
-- name: receivers_all
SELECT receiver FROM receivers ORDER BY receiver;
-- name: receiver_add
INSERT INTO receivers (receiver, position) VALUES ($1, $2);
-- name: receiver_remove
DELETE FROM receivers WHERE receiver = $1;
-- name: receiver_took
UPDATE receivers SET position = $1, dropped = dropped - $2 WHERE receiver = $3;
-- name: receivers_dropped
UPDATE receivers SET dropped = dropped + (SELECT count(*) FROM notices WHERE notice > position AND notice <= $1)
WHERE position < $1;
-- name: receivers_moved
UPDATE receivers SET position = $1 WHERE position < $1;
-- name: delivery_open
SELECT delivery, first, last, notices, dropped, attempts, answer FROM deliveries WHERE receiver = $1 AND outcome = 0;
-- name: delivery_note
UPDATE deliveries SET tried_at = $1, attempts = $2, outcome = $3, took = $4, answer = $5, dropped = $6
WHERE delivery = $7 AND outcome = 0;
-- name: deliveries_abandon
UPDATE deliveries SET outcome = 2 WHERE receiver = $1 AND outcome = 0;
-- name: deliveries_prune
DELETE FROM deliveries WHERE delivery <= $1 AND outcome <> 0;
-- name: deliveries_rising
SELECT delivery, shown, first, last, notices, dropped, begun_at, tried_at, attempts, outcome, took, answer FROM deliveries
WHERE delivery > $1 ORDER BY delivery LIMIT $2;
-- name: deliveries_newest
SELECT delivery, shown, first, last, notices, dropped, begun_at, tried_at, attempts, outcome, took, answer FROM (
	SELECT delivery, shown, first, last, notices, dropped, begun_at, tried_at, attempts, outcome, took, answer FROM deliveries
	ORDER BY delivery DESC LIMIT $1) AS newest
ORDER BY delivery;

-- name: conflict_seen
SELECT 1 FROM conflicts WHERE owner = $1 AND id = $2 AND h0 = $3 AND h1 = $4;
-- name: conflict_get
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error
FROM conflicts WHERE conflict = $1;
-- name: conflicts_list
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	conflict, at, why
FROM conflicts WHERE conflict > $1 ORDER BY conflict LIMIT $2;
-- name: conflicts_list_of
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	conflict, at, why
FROM conflicts WHERE conflict > $1 AND owner = $2 ORDER BY conflict LIMIT $3;
-- name: conflicts_newest
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	conflict, at, why
FROM conflicts WHERE conflict < $1 ORDER BY conflict DESC LIMIT $2;
-- name: conflicts_newest_of
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	conflict, at, why
FROM conflicts WHERE conflict < $1 AND owner = $2 ORDER BY conflict DESC LIMIT $3;
-- name: conflicts_count
SELECT count(*) FROM conflicts;
-- name: conflicts_count_of
SELECT count(*) FROM conflicts WHERE owner = $1;

-- name: quarantine_of
SELECT quarantine, id, h0, h1, generation, seq FROM quarantine WHERE owner = $1 ORDER BY id;
-- name: quarantine_get
SELECT owner, id, h0, h1, generation, line FROM quarantine WHERE quarantine = $1;
-- name: quarantine_next
SELECT quarantine FROM quarantine WHERE quarantine > $1 ORDER BY quarantine LIMIT 1;
-- Seen again, by a centre that reads again.
-- name: quarantine_held
UPDATE quarantine SET generation = $1, seq = $2 WHERE quarantine = $3;
-- Not held any more; of all that held it, it may be the last.
-- name: quarantine_unheld
UPDATE quarantine SET generation = $1 WHERE owner = $2 AND id = $3 AND generation = $4;
-- name: quarantine_tried
UPDATE quarantine SET attempts = attempts + 1, tried_at = $1, why = $2 WHERE quarantine = $3;
-- name: quarantine_drop
DELETE FROM quarantine WHERE quarantine = $1;
-- What both digests count that is no difference: the version at the local, and what stands in its place here.
-- name: quarantine_explains
SELECT q.h0, q.h1, r.h0, r.h1 FROM quarantine_held AS q LEFT JOIN records AS r ON r.owner = q.owner AND r.id = q.id
WHERE q.owner = $1;
-- name: quarantine_bytes_of
SELECT coalesce(sum(length(line)), 0) FROM quarantine WHERE owner = $1;
-- name: quarantine_list
SELECT quarantine, at, owner, id, h0, h1, seq, line, why, attempts, tried_at,
	CASE WHEN generation = (SELECT generation FROM nodes WHERE name = owner) THEN 1 ELSE 0 END
FROM quarantine WHERE quarantine > $1 ORDER BY quarantine LIMIT $2;
-- name: quarantine_list_of
SELECT quarantine, at, owner, id, h0, h1, seq, line, why, attempts, tried_at,
	CASE WHEN generation = (SELECT generation FROM nodes WHERE name = owner) THEN 1 ELSE 0 END
FROM quarantine WHERE quarantine > $1 AND owner = $2 ORDER BY quarantine LIMIT $3;
-- name: quarantine_count
SELECT count(*) FROM quarantine;
-- name: quarantine_count_of
SELECT count(*) FROM quarantine WHERE owner = $1;

-- name: record_get
SELECT owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error
FROM records WHERE owner = $1 AND id = $2;
-- name: record_standing
SELECT deleted, actor, n, vv, h0, h1, local_h0, local_h1, local_generation, refused
FROM records WHERE owner = $1 AND id = $2;
-- name: record_add
INSERT INTO records (owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error,
	local_h0, local_h1, local_generation)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (owner, id) DO NOTHING;
-- name: record_replace
UPDATE records SET type = $1, body = $2, deleted = $3, actor = $4, n = $5, vv = $6, h0 = $7, h1 = $8, created_at = $9,
	updated_at = $10, clock_error = $11, local_h0 = $12, local_h1 = $13, local_generation = $14, refused = NULL
WHERE owner = $15 AND id = $16;
-- What the owner is believed to hold (store_known(); $3: how far the sweep has come): a version in quarantine stands before
-- what was known of that record.
-- name: records_believed
SELECT id, local_h0, local_h1 FROM records
WHERE owner = $1 AND local_h0 IS NOT NULL AND (local_generation = $2 OR (h0 = local_h0 AND h1 = local_h1 AND id <= $3))
	AND NOT EXISTS (SELECT 1 FROM quarantine_held AS q WHERE q.owner = records.owner AND q.id = records.id)
UNION ALL SELECT id, h0, h1 FROM quarantine_held WHERE owner = $1;
-- name: records_unrefuse
UPDATE records SET refused = NULL WHERE refused IS NOT NULL;
-- The last row that such a page looks at; none: it has seen the end.
-- name: records_looked_of
SELECT owner, id FROM records WHERE owner = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET $3;
-- name: records_looked
SELECT owner, id FROM records WHERE (owner, id) > ($1, $2) ORDER BY owner, id LIMIT 1 OFFSET $3;

-- name: tokens_all
SELECT name, role, hash, created_at, created_by, expires_at, last_used_at FROM tokens ORDER BY name;
-- name: tokens_count
SELECT count(*) FROM tokens;
-- name: token_add
INSERT INTO tokens (name, role, hash, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO NOTHING;
-- name: token_get
SELECT name, role, hash, created_at, created_by, expires_at, last_used_at FROM tokens WHERE name = $1;
-- name: token_remove
DELETE FROM tokens WHERE name = $1;
-- name: token_used
UPDATE tokens SET last_used_at = $1 WHERE name = $2 AND hash = $3;
