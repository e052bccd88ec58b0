/* The answer to a running statement: sent, taken row by row, read to its end. */
#include <stdlib.h>

#include "central/db_postgres_private.h"

/*
 * Rows come one by one, so that no answer takes memory for all of them; libpq makes a result of its own of each.  What
 * is asked of the records of one page, or of the nodes of one transaction, is quicker taken whole.
 */
static bool comes_whole(int id)
{
	return id == SQL_POSTGRES_BULK_LOOK || id == SQL_POSTGRES_MANY_NODES;
}

static bool send_statement(struct connection *c)
{
	char name[16];

	postgres_statement_name(c->running, name);
	c->sent = true;
	return PQsendQueryPrepared(
		       c->conn, name, c->places[c->running].n, c->values, c->lengths, c->formats, 1) &&
	       (comes_whole(c->running) || PQsetSingleRowMode(c->conn));
}

static int64_t silence_of(const struct connection *c)
{
	return c->running == SQL_POSTGRES_RECORDS_DIGEST ? POSTGRES_LONG_SILENCE_MS : POSTGRES_SILENCE_MS;
}

static bool take_result(struct connection *c)
{
	bool gone;
	PGresult *r = postgres_result(c->conn, silence_of(c), &gone);

	switch (PQresultStatus(r)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		c->changes = strtoll(PQcmdTuples(r), NULL, 10);
		c->rows = r;
		c->at = 0;
		return PQntuples(r) > 0;
	default:
		connection_fail(c, r, sql_postgres.name[c->running]);
		return false;
	}
}

/* To its very end, whatever comes. */
static void drain(struct connection *c)
{
	bool gone = false;
	PGresult *r;

	c->ended = true;
	while (c->conn && (r = postgres_result(c->conn, silence_of(c), &gone)) != NULL) {
		if (PQresultStatus(r) == PGRES_FATAL_ERROR)
			connection_fail(c, r, sql_postgres.name[c->running]);
		else
			PQclear(r);
	}
	if (gone && c->conn)
		connection_fail(c, NULL, sql_postgres.name[c->running]);
}

bool connection_step(struct connection *c)
{
	if (c->failed != OK || c->ended)
		return false;
	if (c->rows && ++c->at < PQntuples(c->rows))
		return true;
	bool last =
		PQresultStatus(c->rows) == PGRES_TUPLES_OK; /* of rows one by one, each is a SINGLE_TUPLE */
	PQclear(c->rows);
	c->rows = NULL;
	if (!c->sent && !send_statement(c)) {
		connection_fail(c, NULL, sql_postgres.name[c->running]);
		return false;
	}
	if (!last && take_result(c))
		return true;
	drain(c);
	return false;
}

void connection_end_statement(struct connection *c)
{
	PQclear(c->rows);
	c->rows = NULL;
	if (c->sent && !c->ended)
		drain(c);
	c->running = -1;
}
