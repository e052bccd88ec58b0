/* What a new session needs: all statements, prepared in one round trip. */
#include <assert.h>
#include <stdio.h>

#include "central/db_postgres_private.h"

void postgres_statement_name(int id, char ret[16])
{
	(void)snprintf(ret, 16, "s%d", id);
}

/* All of them in one round trip. */
static bool send_preparations(PGconn *conn)
{
	char name[16];
	bool sent = PQenterPipelineMode(conn);

	for (int i = 0; sent && i < SQL_POSTGRES_COUNT; i++) {
		postgres_statement_name(i, name);
		sent = PQsendPrepare(conn, name, sql_postgres.text[i], 0, NULL) &&
		       PQsendDescribePrepared(conn, name);
	}
	return sent && PQpipelineSync(conn);
}

static void note_types(struct places *p, const PGresult *r)
{
	p->n = PQnparams(r);
	assert(p->n <= PLACES_MAX);
	for (int i = 0; i < p->n; i++)
		p->types[i] = PQparamtype(r, i);
}

/* `describes` NULL: that it was prepared; else what it takes. */
static enum err take_preparation(PGconn *conn, int id, struct places *describes, struct reason *why)
{
	bool lost;
	PGresult *r = postgres_result(conn, POSTGRES_SILENCE_MS, &lost);
	enum err e = OK;

	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		e = postgres_classify(conn, r, sql_postgres.name[id], why);
	else if (describes)
		note_types(describes, r);
	PQclear(r);
	if (e == OK &&
		(r = postgres_result(conn, POSTGRES_SILENCE_MS, &lost)) != NULL) /* the end of this one */
		PQclear(r);
	return e;
}

enum err postgres_prepare(PGconn *conn, struct places ret[SQL_POSTGRES_COUNT], struct reason *why)
{
	bool lost;
	PGresult *r;
	enum err e = OK;

	if (!send_preparations(conn))
		return postgres_classify(conn, NULL, "prepare", why);
	for (int i = 0; e == OK && i < SQL_POSTGRES_COUNT; i++) {
		e = take_preparation(conn, i, NULL, why);
		if (e == OK)
			e = take_preparation(conn, i, &ret[i], why);
	}
	if (e != OK)
		return e;
	r = postgres_result(conn, POSTGRES_SILENCE_MS, &lost);
	if (PQresultStatus(r) != PGRES_PIPELINE_SYNC || !PQexitPipelineMode(conn))
		e = postgres_classify(conn, NULL, "prepare", why);
	PQclear(r);
	return e;
}
