-- For people with SQL: the schema `tidemark`, whose names and columns stay.  They are those of the API.
-- A later migration only adds to it: a column at the end of a view (CREATE OR REPLACE VIEW), another view.
CREATE SCHEMA tidemark;
COMMENT ON SCHEMA tidemark IS 'Tidemark, for people with SQL: stable views; nothing here is written. The tables are in tidemark_store.';

-- Each mentions an argument once, so that the planner puts the expression itself into the query.
CREATE FUNCTION tidemark_store.time_of(us bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT timestamptz 'epoch' + us * interval '1 microsecond'
$$;
-- The hash's bytes in order: each half is a little-endian number.
CREATE FUNCTION tidemark_store.hash_of(h0 bigint, h1 bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT regexp_replace(encode(int8send(h0) || int8send(h1), 'hex') COLLATE "C",
		'(..)(..)(..)(..)(..)(..)(..)(..)', '\8\7\6\5\4\3\2\1', 'g')
$$;
CREATE FUNCTION tidemark_store.dot_of(actor bigint, n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT lpad(to_hex(actor), 16, '0') || '.' || n::text
$$;
-- Entries of 16 bytes: actor, n.
CREATE FUNCTION tidemark_store.vector_of(packed bytea) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT array_agg(left(hex, 16) || '.' || ('x' || right(hex, 16))::bit(64)::bigint ORDER BY entry)
	FROM (SELECT entry, regexp_replace(encode(substr(packed, 16 * entry + 1, 16), 'hex') COLLATE "C",
			'(..)(..)(..)(..)(..)(..)(..)(..)', '\8\7\6\5\4\3\2\1', 'g') AS hex
		FROM generate_series(0, length(packed) / 16 - 1) AS entry) AS entries
$$;

CREATE VIEW tidemark.all_records AS
SELECT r.owner, r.id, r.type, r.deleted, r.body, tidemark_store.hash_of(r.h0, r.h1) AS hash,
	tidemark_store.dot_of(r.actor, r.n) AS dot, tidemark_store.vector_of(r.vv) AS vv,
	tidemark_store.time_of(r.created_at) AS created_at, tidemark_store.time_of(r.updated_at) AS updated_at,
	r.clock_error AS clock_error_us
FROM tidemark_store.records AS r;
CREATE VIEW tidemark.records AS
SELECT r.owner, r.id, r.type, r.body, r.hash, r.dot, r.vv, r.created_at, r.updated_at, r.clock_error_us
FROM tidemark.all_records AS r WHERE NOT r.deleted;
CREATE VIEW tidemark.nodes AS
SELECT n.name, n.title, n.url, n.paused, tidemark_store.time_of(n.added_at) AS added_at,
	nullif(n.epoch, '') AS epoch, CASE WHEN n.epoch <> '' THEN n.cursor END AS cursor, n.generation, n.reconciling,
	CASE n.halt WHEN 1 THEN 'identity_conflict' WHEN 2 THEN 'diverged' END AS halted, n.digest_count AS records,
	lpad(to_hex(n.digest_lane0), 16, '0') || lpad(to_hex(n.digest_lane1), 16, '0') AS digest_sum,
	(SELECT count(*) FROM tidemark_store.conflicts AS c WHERE c.owner = n.name) AS conflicts
FROM tidemark_store.nodes AS n WHERE n.url IS NOT NULL;
CREATE VIEW tidemark.events AS
SELECT e.event AS id, tidemark_store.time_of(e.at) AS at,
	CASE e.level WHEN 0 THEN 'error' WHEN 1 THEN 'warn' WHEN 2 THEN 'info' ELSE 'debug' END AS level, e.kind, e.node, e.text
FROM tidemark_store.events AS e;
CREATE VIEW tidemark.conflicts AS
SELECT c.conflict AS id, tidemark_store.time_of(c.at) AS at, c.owner, c.id AS record_id, c.why, c.type, c.deleted, c.body,
	tidemark_store.hash_of(c.h0, c.h1) AS hash, tidemark_store.dot_of(c.actor, c.n) AS dot,
	tidemark_store.vector_of(c.vv) AS vv, tidemark_store.time_of(c.created_at) AS created_at,
	tidemark_store.time_of(c.updated_at) AS updated_at, c.clock_error AS clock_error_us
FROM tidemark_store.conflicts AS c;
CREATE VIEW tidemark.quarantine AS
SELECT q.quarantine AS id, tidemark_store.time_of(q.at) AS at, q.owner, q.id AS record_id,
	tidemark_store.hash_of(q.h0, q.h1) AS hash, q.seq, q.why AS reason, q.attempts,
	tidemark_store.time_of(q.tried_at) AS tried_at, q.line
FROM tidemark_store.quarantine AS q;

-- A member of a body as a column: NULL where it is absent, null, or of another kind.
CREATE FUNCTION tidemark.as_boolean(member json) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE member::text WHEN 'true' THEN true WHEN 'false' THEN false END
$$;
-- JSON has numbers that numeric cannot hold.  An expression would be evaluated once for each time it is mentioned.
CREATE FUNCTION tidemark.as_number(member json) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	digits CONSTANT text := member #>> '{}';
BEGIN
	RETURN CASE WHEN json_typeof(member) = 'number' AND length(digits) <= 250 AND digits !~ '[eE][-+]?[0-9]{4}'
		THEN digits::numeric END;
END $$;
CREATE FUNCTION tidemark.as_json(member json) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT nullif(member::text, 'null')::json
$$;

-- The members of the newest records of a type (NULL: of all) that are objects, in about their order there, each with the
-- narrowest kind of column that holds all values seen.  A view has at most 1,600 columns: the most frequent members.
CREATE FUNCTION tidemark_store.members_of(of_type text, newest bigint)
	RETURNS TABLE (member text, kind text) LANGUAGE sql STABLE AS $$
	SELECT frequent.member, frequent.kind
	FROM (SELECT seen.member, avg(seen.place) AS place,
			CASE WHEN bool_or(seen.kind = 'json') THEN 'json' WHEN count(DISTINCT seen.kind) = 1 THEN min(seen.kind)
				ELSE 'text' END AS kind
		FROM (SELECT m.member, m.place,
				CASE json_typeof(m.value) WHEN 'boolean' THEN 'boolean' WHEN 'string' THEN 'text' WHEN 'null' THEN NULL
					WHEN 'number' THEN CASE WHEN tidemark.as_number(m.value) IS NULL THEN 'text' ELSE 'number' END
					ELSE 'json' END AS kind
			FROM (SELECT r.body FROM tidemark_store.records AS r WHERE r.type = of_type AND NOT r.deleted
					ORDER BY r.updated_at DESC LIMIT newest) AS sample,
				json_each(CASE json_typeof(sample.body) WHEN 'object' THEN sample.body END)
					WITH ORDINALITY AS m(member, value, place)) AS seen
		GROUP BY seen.member ORDER BY count(*) DESC, seen.member COLLATE "C" LIMIT 1500) AS frequent
	ORDER BY frequent.place, frequent.member COLLATE "C"
$$;

-- The member's name, cut to what a name may be and told apart from those taken.
CREATE FUNCTION tidemark_store.column_name(member text, taken text[]) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most CONSTANT integer := current_setting('max_identifier_length');
	stem text := CASE member WHEN '' THEN '_' ELSE member END;
	ending text := '';
	tried integer := 1;
BEGIN
	LOOP
		WHILE octet_length(stem || ending) > most LOOP
			stem := left(stem, -1);
		END LOOP;
		EXIT WHEN NOT stem || ending = ANY (taken);
		tried := tried + 1;
		ending := '_' || tried;
	END LOOP;
	RETURN stem || ending;
END $$;

-- The name of a type's view.  Refuses one that something else has.
CREATE FUNCTION tidemark_store.view_name(of_type text, wanted text, mark text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	chosen CONSTANT text := coalesce(wanted, regexp_replace(replace(of_type, '-', '_'), '^(?=[0-9])', '_'));
	holder CONSTANT oid := (SELECT c.oid FROM pg_class AS c WHERE c.relname = chosen AND c.relnamespace = 'tidemark'::regnamespace);
BEGIN
	IF chosen = '' OR octet_length(chosen) > current_setting('max_identifier_length')::integer THEN
		RAISE 'a view''s name has 1 to % bytes', current_setting('max_identifier_length') USING ERRCODE = 'invalid_name';
	ELSIF holder IS NOT NULL AND NOT coalesce(starts_with(obj_description(holder, 'pg_class'), mark), false) THEN
		RAISE 'tidemark.% is there already and is not the view of the type %', quote_ident(chosen), quote_literal(of_type)
			USING ERRCODE = 'duplicate_table',
				HINT = format('Give another name: SELECT tidemark.make_view(%L, %L).', of_type, left(chosen, 50) || '_records');
	END IF;
	RETURN chosen;
END $$;

-- Makes the view anew where columns were changed; else those that build on it may stay.
CREATE FUNCTION tidemark_store.put_view(view text, columns text[], of_type text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	definition CONSTANT text := format('VIEW tidemark.%I AS SELECT %s FROM tidemark.records AS r WHERE r.type = %L', view,
		array_to_string(columns, ', '), of_type);
BEGIN
	EXECUTE 'CREATE OR REPLACE ' || definition;
EXCEPTION WHEN invalid_table_definition THEN
	EXECUTE format('DROP VIEW tidemark.%I', view);
	EXECUTE 'CREATE ' || definition;
END $$;

CREATE FUNCTION tidemark.make_view(type text, name text DEFAULT NULL, sample bigint DEFAULT 10000) RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	mark CONSTANT text := format('Records of the type %L, a column for each member.', type);
	view CONSTANT text := tidemark_store.view_name(type, name, mark);
	columns text[] := ARRAY['r.owner', 'r.id', 'r.updated_at'];
	taken text[] := ARRAY['owner', 'id', 'updated_at'];
	members text[] := ARRAY[]::text[];
	m record;
BEGIN
	IF sample <= 0 THEN
		RAISE 'sample: how many records to look at, 1 or more, or NULL for all' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR m IN SELECT s.member, s.kind FROM tidemark_store.members_of(type, sample) AS s LOOP
		taken := taken || tidemark_store.column_name(m.member, taken);
		members := members || m.member;
		columns := columns || format(CASE m.kind WHEN 'text' THEN 'r.body ->> %L::text AS %I'
			ELSE 'tidemark.as_' || m.kind || '(r.body -> %L::text) AS %I' END, m.member, taken[cardinality(taken)]);
	END LOOP;
	IF cardinality(members) = 0 THEN
		RAISE 'there is no record of the type % whose body is an object with members', quote_nullable(type)
			USING ERRCODE = 'no_data_found', HINT = 'The types: SELECT type, count(*) FROM tidemark.records GROUP BY type.';
	END IF;
	PERFORM tidemark_store.put_view(view, columns, type);
	EXECUTE format('COMMENT ON VIEW tidemark.%I IS %L', view, mark || format(
		' Made by tidemark.make_view from %s of them; call it again for new members.', coalesce('the newest ' || sample, 'all')));
	FOR i IN 1 .. cardinality(members) LOOP
		EXECUTE format('COMMENT ON COLUMN tidemark.%I.%I IS %L', view, taken[3 + i], 'The body''s member ' || to_json(members[i]));
	END LOOP;
	RETURN format('tidemark.%I', view);
END $$;
REVOKE ALL ON FUNCTION tidemark.make_view(text, text, bigint) FROM PUBLIC;

-- The role, and its rights: also to what the schema's owner, and so make_view(), makes later.
-- Roles are the cluster's: another database's migration may make this one meanwhile.
CREATE FUNCTION tidemark.make_reader() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF to_regrole('tidemark_reader') IS NULL THEN
		BEGIN
			CREATE ROLE tidemark_reader NOLOGIN;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;
		END;
	END IF;
	GRANT USAGE ON SCHEMA tidemark TO tidemark_reader;
	GRANT SELECT ON ALL TABLES IN SCHEMA tidemark TO tidemark_reader;
	EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA tidemark GRANT SELECT ON TABLES TO tidemark_reader',
		(SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'tidemark'));
	-- A view reads tables with its owner's rights, but calls functions with the reader's.
	GRANT EXECUTE ON FUNCTION tidemark_store.time_of, tidemark_store.hash_of, tidemark_store.dot_of,
		tidemark_store.vector_of, tidemark.as_boolean, tidemark.as_number, tidemark.as_json TO tidemark_reader;
END $$;
REVOKE ALL ON FUNCTION tidemark.make_reader() FROM PUBLIC;
-- Where that takes a superuser, one may call it later.
DO $$ BEGIN
	PERFORM tidemark.make_reader();
EXCEPTION WHEN insufficient_privilege THEN
	NULL;
END $$;

COMMENT ON VIEW tidemark.records IS 'All records of all nodes; deleted ones are left out.';
COMMENT ON VIEW tidemark.all_records IS 'All records of all nodes, also those that were deleted.';
COMMENT ON COLUMN tidemark.all_records.owner IS 'The node that owns it.';
COMMENT ON COLUMN tidemark.all_records.id IS 'Its id; (owner, id) is the key.';
COMMENT ON COLUMN tidemark.all_records.type IS 'What kind of record; tidemark.make_view makes a view of one kind.';
COMMENT ON COLUMN tidemark.all_records.deleted IS 'It was deleted; its body is null.';
COMMENT ON COLUMN tidemark.all_records.body IS 'The JSON value, byte for byte.';
COMMENT ON COLUMN tidemark.all_records.hash IS 'This version''s hash, which is its ETag.';
COMMENT ON COLUMN tidemark.all_records.dot IS 'The write that made this version: actor.n';
COMMENT ON COLUMN tidemark.all_records.vv IS 'The version vector, where it holds more than the dot.';
COMMENT ON COLUMN tidemark.all_records.created_at IS 'By the writer''s clock.';
COMMENT ON COLUMN tidemark.all_records.updated_at IS 'By the writer''s clock; of a deleted record, when that was.';
COMMENT ON COLUMN tidemark.all_records.clock_error_us IS 'The bound of that clock''s error in microseconds; NULL: it was not synchronised.';
COMMENT ON VIEW tidemark.nodes IS
	'The nodes, as far as the database knows. Whether one is in step, its backlog, proof and clock only the running centre knows: GET /v1/nodes.';
COMMENT ON COLUMN tidemark.nodes.name IS 'The node''s name: the owner of its records.';
COMMENT ON COLUMN tidemark.nodes.title IS 'What people call it.';
COMMENT ON COLUMN tidemark.nodes.url IS 'Where the centre asks it.';
COMMENT ON COLUMN tidemark.nodes.paused IS 'An operator has paused it.';
COMMENT ON COLUMN tidemark.nodes.added_at IS 'Since when it is polled.';
COMMENT ON COLUMN tidemark.nodes.epoch IS 'Which database the node has; NULL: never seen.';
COMMENT ON COLUMN tidemark.nodes.cursor IS 'How far its log has been read; NULL: never seen.';
COMMENT ON COLUMN tidemark.nodes.generation IS 'How often everything was compared anew from the start.';
COMMENT ON COLUMN tidemark.nodes.reconciling IS 'Such a comparison has not ended yet.';
COMMENT ON COLUMN tidemark.nodes.halted IS 'Why both directions stand still until an operator decides: identity_conflict or diverged; NULL: they do not.';
COMMENT ON COLUMN tidemark.nodes.records IS 'How many records the centre has of it, deleted ones included.';
COMMENT ON COLUMN tidemark.nodes.digest_sum IS 'The sum of their hashes; equal to the node''s own when both ends hold the same.';
COMMENT ON COLUMN tidemark.nodes.conflicts IS 'How many versions of its records are in tidemark.conflicts.';
COMMENT ON VIEW tidemark.events IS 'Changes of state, and every exchange that moved records: the newest 100,000 or so.';
COMMENT ON COLUMN tidemark.events.id IS 'Rises in the order in which they were stored.';
COMMENT ON COLUMN tidemark.events.at IS 'By the centre''s clock.';
COMMENT ON COLUMN tidemark.events.level IS 'error, warn, info or debug.';
COMMENT ON COLUMN tidemark.events.kind IS 'A fixed word, such as node.state, pulled or WIPED.';
COMMENT ON COLUMN tidemark.events.node IS 'The node it is about; NULL: the centre.';
COMMENT ON COLUMN tidemark.events.text IS 'A sentence.';
COMMENT ON VIEW tidemark.conflicts IS 'Versions of records that lost a conflict or were put aside, whole: tidemark conflict promote ID brings one back.';
COMMENT ON COLUMN tidemark.conflicts.id IS 'The conflict''s number.';
COMMENT ON COLUMN tidemark.conflicts.at IS 'When it was put aside, by the centre''s clock.';
COMMENT ON COLUMN tidemark.conflicts.record_id IS 'The record''s id.';
COMMENT ON COLUMN tidemark.conflicts.why IS 'conflict: both ends had changed it; centre_restored or superseded: one end had lost what it knew.';
COMMENT ON COLUMN tidemark.conflicts.deleted IS 'This version was a deletion.';
COMMENT ON VIEW tidemark.quarantine IS 'Versions of a node''s records that the centre cannot keep, whole: tidemark quarantine retry ID tries one again.';
COMMENT ON COLUMN tidemark.quarantine.id IS 'The entry''s number.';
COMMENT ON COLUMN tidemark.quarantine.at IS 'When it was put aside, by the centre''s clock.';
COMMENT ON COLUMN tidemark.quarantine.record_id IS 'The record''s id.';
COMMENT ON COLUMN tidemark.quarantine.hash IS 'As the line says.';
COMMENT ON COLUMN tidemark.quarantine.seq IS 'Its place in the node''s log.';
COMMENT ON COLUMN tidemark.quarantine.reason IS 'Why it is refused, by the latest try.';
COMMENT ON COLUMN tidemark.quarantine.attempts IS 'How often it was tried again.';
COMMENT ON COLUMN tidemark.quarantine.tried_at IS 'When it was tried last; NULL: not since it came.';
COMMENT ON COLUMN tidemark.quarantine.line IS 'The bytes as they came.';
-- What has the same name is the same.
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT a.attrelid::regclass AS view, a.attname AS name, col_description(known.attrelid, known.attnum) AS words
		FROM pg_attribute AS a JOIN pg_attribute AS known USING (attname)
		WHERE known.attrelid = 'tidemark.all_records'::regclass
			AND a.attrelid IN ('tidemark.records'::regclass, 'tidemark.conflicts'::regclass, 'tidemark.quarantine'::regclass)
			AND col_description(a.attrelid, a.attnum) IS NULL
	LOOP
		EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', c.view, c.name, c.words);
	END LOOP;
END $$;
COMMENT ON FUNCTION tidemark.make_view IS 'Makes or replaces the view of a type''s records with a column for each member of their bodies; returns its name. name: NULL for one made from the type. sample: how many of the newest records to look at, NULL for all.';
COMMENT ON FUNCTION tidemark.make_reader IS 'Makes the role tidemark_reader, if the caller may, and lets it read the views of this schema and nothing else.';
COMMENT ON FUNCTION tidemark.as_boolean IS 'A JSON boolean; NULL for anything else.';
COMMENT ON FUNCTION tidemark.as_number IS 'A JSON number; NULL for anything else, and for one longer than 250 characters or with an exponent of more than three digits.';
COMMENT ON FUNCTION tidemark.as_json IS 'Any JSON value but null, which becomes NULL.';
