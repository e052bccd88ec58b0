#include "tests/sim/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITE_STATE, SITE_RECORDS, SITE_POSITIONS };
enum { CENTRE_NODES, CENTRE_RECORDS, CENTRE_ARCHIVE, CENTRE_ABANDONED, CENTRE_EVENTS };

const char *const alarm_names[ALARMS] = {[ALARM_WIPED] = "WIPED",
	[ALARM_REWOUND] = "REWOUND",
	[ALARM_CLONED] = "CLONED",
	[ALARM_CENTRE_REWOUND] = "CENTRE_REWOUND",
	[ALARM_DIVERGED] = "DIVERGED"};

static uint64_t whole(sqlite3_stmt *q, int col)
{
	return (uint64_t)sqlite3_column_int64(q, col);
}

static struct hash head_at(sqlite3_stmt *q, int col)
{
	assert(sqlite3_column_bytes(q, col) == 16);
	return hash_from_bytes(sqlite3_column_blob(q, col));
}

static struct hash halves(sqlite3_stmt *q, int col)
{
	return (struct hash){{whole(q, col), whole(q, col + 1)}};
}

static struct digest digest_at(sqlite3_stmt *q, int col)
{
	return (struct digest){whole(q, col), {whole(q, col + 1), whole(q, col + 2)}};
}

static struct epoch epoch_at(sqlite3_stmt *q, int col)
{
	struct epoch e;

	snprintf(e.hex, sizeof e.hex, "%s", (const char *)sqlite3_column_text(q, col));
	return e;
}

/* "a" is 0. */
static unsigned id_at(sqlite3_stmt *q, int col)
{
	unsigned id = (unsigned)(sqlite3_column_text(q, col)[0] - 'a');

	assert(id < IDS_MAX);
	return id;
}

/* "n0" is 0. */
static unsigned site_at(sqlite3_stmt *q, int col)
{
	unsigned site = (unsigned)(sqlite3_column_text(q, col)[1] - '0');

	assert(site < SITES_MAX);
	return site;
}

/* type, deleted, actor, n, length(vv), h0, h1 */
static struct row row_at(sqlite3_stmt *q, int col)
{
	struct row r = {.present = true, .version = -1};

	snprintf(r.type, sizeof r.type, "%s", (const char *)sqlite3_column_text(q, col));
	r.deleted = whole(q, col + 1);
	r.dot = (struct dot){whole(q, col + 2), whole(q, col + 3)};
	r.wide = whole(q, col + 4) >= 16 * VECTOR_MAX;
	r.hash = halves(q, col + 5);
	return r;
}

bool site_view_has(const struct site_view *v, struct position p)
{
	if (p.seq == 0 || position_equal(p, v->end))
		return p.seq > 0 || hash_is_none(p.head);
	for (unsigned i = 0; i < IDS_MAX; i++)
		if (v->rows[i].present && v->rows[i].seq == p.seq)
			return hash_equal(v->rows[i].head, p.head);
	for (size_t i = 0; i < v->positions.n; i++)
		if (v->positions.at[i].seq == p.seq)
			return hash_equal(v->positions.at[i].head, p.head);
	return false;
}

static void positions_add(struct positions *p, struct position at)
{
	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 32 : 2 * p->cap;
		p->at = realloc(p->at, p->cap * sizeof *p->at);
		assert(p->at != NULL);
	}
	p->at[p->n++] = at;
}

void site_view_read(struct site_view *v, struct database *d)
{
	sqlite3_stmt *q = database_query(d, SITE_STATE,
		"SELECT epoch, seq, head, digest_count, digest_lane0, digest_lane1 FROM state");

	assert(sqlite3_step(q) == SQLITE_ROW);
	v->epoch = epoch_at(q, 0);
	v->end = (struct position){whole(q, 1), head_at(q, 2)};
	v->digest = digest_at(q, 3);
	sqlite3_reset(q);

	memset(v->rows, 0, sizeof v->rows);
	q = database_query(d, SITE_RECORDS,
		"SELECT id, type, deleted, actor, n, length(vv), h0, h1, seq, head FROM records");
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct row *r = &v->rows[id_at(q, 0)];

		*r = row_at(q, 1);
		r->seq = whole(q, 8);
		r->head = head_at(q, 9);
	}
	sqlite3_reset(q);

	v->positions.n = 0;
	q = database_query(d, SITE_POSITIONS, "SELECT seq, head FROM positions ORDER BY seq");
	while (sqlite3_step(q) == SQLITE_ROW)
		positions_add(&v->positions, (struct position){whole(q, 0), head_at(q, 1)});
	sqlite3_reset(q);
}

void site_view_done(struct site_view *v)
{
	free(v->positions.at);
	memset(v, 0, sizeof *v);
}

/* Steps, and takes the whole row into the hash of all content. */
static bool next(sqlite3_stmt *q, uint64_t *content)
{
	if (sqlite3_step(q) != SQLITE_ROW) {
		sqlite3_reset(q);
		*content = (*content ^ 0x1ff) * UINT64_C(0x100000001b3);
		return false;
	}
	for (int i = 0; i < sqlite3_column_count(q); i++) {
		const unsigned char *at = sqlite3_column_blob(q, i);

		for (int k = sqlite3_column_bytes(q, i); k > 0; k--)
			*content = (*content ^ *at++) * UINT64_C(0x100000001b3);
		*content = (*content ^ 0x100) * UINT64_C(0x100000001b3);
	}
	return true;
}

static void read_nodes(struct centre_view *v, struct database *d)
{
	sqlite3_stmt *q = database_query(d, CENTRE_NODES,
		"SELECT name, epoch, rename_to, probe, cursor, generation, witness_seq, witness_head, halt, "
		"digest_count,"
		" digest_lane0, digest_lane1, reconciling, recount, swept, sweep_after, doubt_seq, "
		"doubt_local,"
		" doubt_centre, paused, url FROM nodes ORDER BY name");

	while (next(q, &v->content)) {
		unsigned i = site_at(q, 0);

		v->nodes[i].epoch = epoch_at(q, 1);
		v->nodes[i].rename_to = epoch_at(q, 2);
		v->nodes[i].probe = epoch_at(q, 3);
		v->nodes[i].cursor = whole(q, 4);
		v->nodes[i].generation = whole(q, 5);
		v->nodes[i].witness = (struct position){whole(q, 6), head_at(q, 7)};
		v->nodes[i].halt = (int)whole(q, 8);
		v->nodes[i].digest = digest_at(q, 9);
	}
}

static void read_records(struct centre_view *v, struct database *d)
{
	sqlite3_stmt *q = database_query(d, CENTRE_RECORDS,
		"SELECT owner, id, type, deleted, actor, n, length(vv), h0, h1, local_h0, local_h1, "
		"local_generation"
		" FROM records ORDER BY owner, id");

	while (next(q, &v->content)) {
		struct row *r = &v->nodes[site_at(q, 0)].rows[id_at(q, 1)];

		*r = row_at(q, 2);
		r->local_known = sqlite3_column_type(q, 9) != SQLITE_NULL;
		r->local = halves(q, 9);
		r->local_generation = whole(q, 11);
	}
}

static void read_archive(struct centre_view *v, struct database *d)
{
	sqlite3_stmt *q = database_query(d, CENTRE_ARCHIVE,
		"SELECT owner, id, type, deleted, actor, n, length(vv), h0, h1, conflict, why = 'conflict'"
		" FROM conflicts ORDER BY conflict");

	v->n_archive = 0;
	while (next(q, &v->content)) {
		if (v->n_archive == v->cap_archive) {
			v->cap_archive = v->cap_archive == 0 ? 16 : 2 * v->cap_archive;
			v->archive = realloc(v->archive, v->cap_archive * sizeof *v->archive);
			assert(v->archive != NULL);
		}
		v->archive[v->n_archive++] = (struct archived){.site = site_at(q, 0),
			.id = id_at(q, 1),
			.row = row_at(q, 2),
			.number = sqlite3_column_int64(q, 9),
			.conflict = whole(q, 10)};
	}
}

static void read_abandoned(struct centre_view *v, struct database *d)
{
	sqlite3_stmt *q = database_query(d, CENTRE_ABANDONED,
		"SELECT node, epoch, witness_seq, witness_head FROM abandoned ORDER BY node, epoch");

	v->n_abandoned = 0;
	while (next(q, &v->content)) {
		assert(v->n_abandoned < ABANDONED_MAX);
		v->abandoned[v->n_abandoned++] = (struct abandoned){.site = site_at(q, 0),
			.epoch = epoch_at(q, 1),
			.witness = {whole(q, 2), head_at(q, 3)}};
	}
}

static void read_events(struct centre_view *v, struct database *d)
{
	sqlite3_stmt *q = database_query(
		d, CENTRE_EVENTS, "SELECT event, kind, node FROM events WHERE event > $1 ORDER BY event");

	uint64_t rows = 0; /* the last one's number stands for them all */

	memset(v->told, 0, sizeof v->told);
	sqlite3_bind_int64(q, 1, v->last_event);
	while (next(q, &rows)) {
		v->last_event = sqlite3_column_int64(q, 0);
		for (unsigned i = 0; i < ALARMS; i++)
			if (strcmp((const char *)sqlite3_column_text(q, 1), alarm_names[i]) == 0)
				v->told[site_at(q, 2)] |= 1u << i;
	}
	v->content ^= (uint64_t)v->last_event;
}

void centre_view_read(struct centre_view *v, struct database *d, int64_t last_event)
{
	memset(v->nodes, 0, sizeof v->nodes);
	v->last_event = last_event;
	v->content = UINT64_C(0xcbf29ce484222325);
	read_nodes(v, d);
	read_records(v, d);
	read_archive(v, d);
	read_abandoned(v, d);
	read_events(v, d);
}

const struct abandoned *centre_view_abandoned(
	const struct centre_view *v, unsigned site, const struct epoch *e)
{
	for (size_t i = 0; i < v->n_abandoned; i++)
		if (v->abandoned[i].site == site && epoch_equal(&v->abandoned[i].epoch, e))
			return &v->abandoned[i];
	return NULL;
}

void centre_view_done(struct centre_view *v)
{
	free(v->archive);
	memset(v, 0, sizeof *v);
}
