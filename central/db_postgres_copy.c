/* COPY: rows in chunks, so that neither end keeps more than it must. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "central/db_postgres_private.h"
#include "central/postgres_binary.h"
#include "gen/sql_postgres_copy.h"

#define COPY_CHUNK 65536

static struct connection *of(struct db *db)
{
	return (struct connection *)db;
}

struct copy copy_begin(struct db *db, int statement)
{
	static const char signature[] = "PGCOPY\n\377\r\n\0"; /* 11 bytes with the last zero */
	struct connection *c = of(db);
	struct copy copy = {.db = db};
	PGresult *r;

	assert(c->running < 0);
	buf_add(&copy.row, signature, 11);
	binary_u32(&copy.row, 0); /* flags */
	binary_u32(&copy.row, 0); /* no extension of the header */
	if (c->failed != OK)
		return copy;
	r = postgres_run(c->conn, sql_postgres_copy.text[statement]);
	if (PQresultStatus(r) == PGRES_COPY_IN)
		PQclear(r);
	else
		connection_fail(c, r, sql_postgres_copy.name[statement]);
	return copy;
}

/* Flushed each time: else libpq would keep all that the server does not take yet, and the memory for ever. */
static void copy_send(struct copy *copy)
{
	struct connection *c = of(copy->db);
	int put = 0;

	if (buf_failed(&copy->row)) /* else what did not fit would silently be missing */
		db_fail(copy->db, RETRY, "out of memory");
	while (c->failed == OK && put == 0) {
		put = PQputCopyData(c->conn, copy->row.at, (int)copy->row.len);
		if (put < 0 || !postgres_flush(c->conn))
			connection_fail(c, NULL, "copy");
	}
	buf_clear(&copy->row);
}

void copy_row(struct copy *copy, unsigned fields)
{
	copy->rows++;
	binary_u16(&copy->row, (uint16_t)fields);
}

void copy_row_end(struct copy *copy)
{
	if (copy->row.len >= COPY_CHUNK)
		copy_send(copy);
}

/* "COPY records, line 17, column body" in any language; only a hint. */
static uint64_t row_of(const PGresult *r)
{
	const char *at = PQresultErrorField(r, PG_DIAG_CONTEXT);

	at = at ? strchr(at, ',') : NULL;
	while (at && *at && (*at < '0' || *at > '9'))
		at++;
	return at ? strtoull(at, NULL, 10) : 0;
}

/* A trigger may leave a row out without a word. */
static void must_be_all(struct copy *copy, PGresult *r)
{
	uint64_t went_in = strtoull(PQcmdTuples(r), NULL, 10);

	if (went_in != copy->rows)
		db_fail(copy->db, CONFLICT, "copy: the database took %llu of %llu rows",
			(unsigned long long)went_in, (unsigned long long)copy->rows);
}

static void copy_finish(struct connection *c, struct copy *copy)
{
	bool gone = false;
	PGresult *r;
	int put;

	while ((put = PQputCopyEnd(c->conn, NULL)) == 0)
		if (!postgres_flush(c->conn))
			break;
	if (put <= 0) {
		connection_fail(c, NULL, "copy");
		return;
	}
	while (c->conn && (r = postgres_result(c->conn, POSTGRES_SILENCE_MS, &gone)) != NULL) {
		if (PQresultStatus(r) == PGRES_COMMAND_OK) {
			must_be_all(copy, r);
			PQclear(r);
			continue;
		}
		copy->failed_row = row_of(r);
		connection_fail(c, r, "copy");
	}
	if (gone && c->conn)
		connection_fail(c, NULL, "copy");
}

void copy_end(struct copy *copy)
{
	struct connection *c = of(copy->db);

	if (c->failed == OK) {
		binary_u16(&copy->row, UINT16_MAX); /* the end */
		copy_send(copy);
	}
	if (c->failed == OK)
		copy_finish(c, copy);
	buf_done(&copy->row);
}
