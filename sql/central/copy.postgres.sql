-- COPY cannot be prepared: sent as text.

-- name: records_copy
COPY records (owner, id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error, local_h0, local_h1,
	local_generation) FROM STDIN (FORMAT binary);
