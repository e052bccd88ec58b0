-- The statements of a local's database.

-- name: state_get
SELECT node, epoch, seq, head, digest_count, digest_lane0, digest_lane1 FROM state
-- name: state_make
INSERT INTO state (one, node, epoch, seq, head, digest_count, digest_lane0, digest_lane1)
VALUES (1, $1, $2, 0, $3, 0, 0, 0)
-- name: state_set
UPDATE state SET epoch = $1, seq = $2, head = $3, digest_count = $4, digest_lane0 = $5, digest_lane1 = $6

-- All that read whole records have the same columns in the same order.
-- name: record_get
SELECT seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error
FROM records WHERE id = $1
-- name: record_after
SELECT seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error
FROM records WHERE seq > $1 ORDER BY seq LIMIT $2
-- A page of a list: so many rows are looked at, without their bodies, and those that fit are fetched.  They come in the order of the
-- index, as the subquery gives them one by one; with an ORDER BY all would be read and sorted first.
-- name: record_list
SELECT r.seq, r.id, r.type, r.body, r.deleted, r.actor, r.n, r.vv, r.h0, r.h1, r.head, r.created_at, r.updated_at, r.clock_error
FROM (SELECT seq, type, deleted FROM records WHERE id > $1 ORDER BY id LIMIT $2) AS looked CROSS JOIN records AS r ON r.seq = looked.seq
WHERE ($3 = '' OR looked.type = $3) AND (looked.deleted = 0 OR $4) LIMIT $5
-- The last row that it looks at; none: it has seen the end.
-- name: record_looked
SELECT id FROM records WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2
-- name: record_put
INSERT INTO records (seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, type = excluded.type, body = excluded.body,
	deleted = excluded.deleted, actor = excluded.actor, n = excluded.n, vv = excluded.vv, h0 = excluded.h0,
	h1 = excluded.h1, head = excluded.head, created_at = excluded.created_at,
	updated_at = excluded.updated_at, clock_error = excluded.clock_error
-- One that is there already stays.
-- name: record_add
INSERT INTO records (seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING
-- So many at once that one after the other takes half as long again: the tree's end is looked for once.  It stops at the first that is
-- there already, and those before it stay.
-- name: record_add_many
INSERT OR FAIL INTO records (seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14),
	($15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28),
	($29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42),
	($43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56),
	($57, $58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70),
	($71, $72, $73, $74, $75, $76, $77, $78, $79, $80, $81, $82, $83, $84),
	($85, $86, $87, $88, $89, $90, $91, $92, $93, $94, $95, $96, $97, $98),
	($99, $100, $101, $102, $103, $104, $105, $106, $107, $108, $109, $110, $111, $112),
	($113, $114, $115, $116, $117, $118, $119, $120, $121, $122, $123, $124, $125, $126),
	($127, $128, $129, $130, $131, $132, $133, $134, $135, $136, $137, $138, $139, $140),
	($141, $142, $143, $144, $145, $146, $147, $148, $149, $150, $151, $152, $153, $154),
	($155, $156, $157, $158, $159, $160, $161, $162, $163, $164, $165, $166, $167, $168),
	($169, $170, $171, $172, $173, $174, $175, $176, $177, $178, $179, $180, $181, $182),
	($183, $184, $185, $186, $187, $188, $189, $190, $191, $192, $193, $194, $195, $196),
	($197, $198, $199, $200, $201, $202, $203, $204, $205, $206, $207, $208, $209, $210),
	($211, $212, $213, $214, $215, $216, $217, $218, $219, $220, $221, $222, $223, $224)
-- name: record_updated_after
SELECT updated_at FROM records WHERE seq > $1 ORDER BY seq LIMIT 1
-- So many at most.
-- name: record_count_after
SELECT count(*) FROM (SELECT 1 FROM records WHERE seq > $1 LIMIT $2)
-- Read from the index of ids alone.
-- name: record_ids
SELECT seq, id FROM records
-- name: record_at
SELECT seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error
FROM records WHERE seq = $1
-- name: record_hashes
SELECT id, h0, h1 FROM records

-- What a push replaces; columns as above.
-- name: replaced_add
INSERT INTO replaced (seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error)
SELECT seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error
FROM records WHERE seq = $1
-- name: replaced_after
SELECT seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error
FROM replaced WHERE seq > $1 ORDER BY seq LIMIT $2
-- name: replaced_sum
SELECT count(*), coalesce(sum(length(CAST(body AS BLOB))), 0) FROM replaced
-- name: replaced_oldest
SELECT seq, length(CAST(body AS BLOB)) FROM replaced WHERE seq <= $1 ORDER BY seq LIMIT 1
-- name: replaced_drop
DELETE FROM replaced WHERE seq = $1

-- name: position_get
SELECT head FROM records WHERE seq = $1 UNION ALL SELECT head FROM positions WHERE seq = $1
-- name: position_count_after
SELECT count(*) FROM (SELECT 1 FROM positions WHERE seq > $1 LIMIT $2)
-- name: position_add
INSERT INTO positions (seq, head) VALUES ($1, $2)
-- name: position_prune
DELETE FROM positions WHERE seq IN (SELECT seq FROM positions WHERE seq < $1 ORDER BY seq LIMIT $2)

-- In the order they were last heard of, the latest first.
-- name: acknowledgement_all
SELECT centre, seq, head FROM acknowledgements ORDER BY rowid
-- name: acknowledgement_clear
DELETE FROM acknowledgements
-- name: acknowledgement_add
INSERT INTO acknowledgements (centre, seq, head, at) VALUES ($1, $2, $3, $4)
