-- What db_lite.c asks for itself.

-- Another number than last time on the same connection: somebody else has written.
-- name: data_version
PRAGMA data_version;
