#include "tests/sim/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITE_STATE, SITE_RECORDS, SITE_POSITIONS };
enum { CENTRE_NODES, CENTRE_RECORDS, CENTRE_ARCHIVE, CENTRE_ABANDONED, CENTRE_QUARANTINE, CENTRE_EVENTS };

const char *const alarm_names[ALARMS] = {[ALARM_WIPED] = "WIPED",
	[ALARM_REWOUND] = "REWOUND",
	[ALARM_CLONED] = "CLONED",
	[ALARM_CENTRE_REWOUND] = "CENTRE_REWOUND",
	[ALARM_DIVERGED] = "DIVERGED"};

static uint64_t whole(const struct database *d, int col)
{
	return (uint64_t)database_number(d, col);
}

static struct hash head_at(const struct database *d, int col)
{
	size_t len;
	const void *at = database_bytes(d, col, &len);

	assert(len == 16);
	return hash_from_bytes(at);
}

static struct hash halves(const struct database *d, int col)
{
	return (struct hash){{whole(d, col), whole(d, col + 1)}};
}

static struct digest digest_at(const struct database *d, int col)
{
	return (struct digest){whole(d, col), {whole(d, col + 1), whole(d, col + 2)}};
}

static struct epoch epoch_at(const struct database *d, int col)
{
	struct epoch e;

	snprintf(e.hex, sizeof e.hex, "%s", database_text(d, col));
	return e;
}

/* "a" is 0. */
static unsigned id_at(const struct database *d, int col)
{
	unsigned id = (unsigned)(database_text(d, col)[0] - 'a');

	assert(id < IDS_MAX);
	return id;
}

/* "n0" is 0. */
static unsigned site_at(const struct database *d, int col)
{
	unsigned site = (unsigned)(database_text(d, col)[1] - '0');

	assert(site < SITES_MAX);
	return site;
}

/* type, deleted, actor, n, length(vv), h0, h1 */
static struct row row_at(const struct database *d, int col)
{
	struct row r = {.present = true, .version = -1};

	snprintf(r.type, sizeof r.type, "%s", database_text(d, col));
	r.deleted = whole(d, col + 1);
	r.dot = (struct dot){whole(d, col + 2), whole(d, col + 3)};
	r.wide = whole(d, col + 4) >= 16 * VECTOR_MAX;
	r.hash = halves(d, col + 5);
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
	database_select(d, SITE_STATE,
		"SELECT epoch, seq, head, digest_count, digest_lane0, digest_lane1 FROM state", 0);

	if (!database_next(d))
		abort();
	v->epoch = epoch_at(d, 0);
	v->end = (struct position){whole(d, 1), head_at(d, 2)};
	v->digest = digest_at(d, 3);
	(void)database_next(d);

	memset(v->rows, 0, sizeof v->rows);
	database_select(d, SITE_RECORDS,
		"SELECT id, type, deleted, actor, n, length(vv), h0, h1, seq, head FROM records", 0);
	while (database_next(d)) {
		struct row *r = &v->rows[id_at(d, 0)];

		*r = row_at(d, 1);
		r->seq = whole(d, 8);
		r->head = head_at(d, 9);
	}

	v->positions.n = 0;
	database_select(d, SITE_POSITIONS, "SELECT seq, head FROM positions ORDER BY seq", 0);
	while (database_next(d))
		positions_add(&v->positions, (struct position){whole(d, 0), head_at(d, 1)});
}

void site_view_done(struct site_view *v)
{
	free(v->positions.at);
	memset(v, 0, sizeof *v);
}

/* Steps, and takes the whole row into the hash of all content. */
static bool next(struct database *d, uint64_t *content)
{
	if (!database_next(d)) {
		*content = (*content ^ 0x1ff) * UINT64_C(0x100000001b3);
		return false;
	}
	for (int i = 0; i < database_columns(d); i++) {
		size_t n;
		const unsigned char *at = database_bytes(d, i, &n);

		for (; n > 0; n--)
			*content = (*content ^ *at++) * UINT64_C(0x100000001b3);
		*content = (*content ^ 0x100) * UINT64_C(0x100000001b3);
	}
	return true;
}

static void read_nodes(struct centre_view *v, struct database *d)
{
	database_select(d, CENTRE_NODES,
		"SELECT name, epoch, rename_to, probe, cursor, generation, witness_seq, witness_head, halt, "
		"digest_count,"
		" digest_lane0, digest_lane1, reconciling, recount, swept, sweep_after, doubt_seq, "
		"doubt_local,"
		" doubt_centre, paused, url, quarantined, resets, comparing FROM nodes ORDER BY name",
		0);

	while (next(d, &v->content)) {
		unsigned i = site_at(d, 0);

		v->nodes[i].epoch = epoch_at(d, 1);
		v->nodes[i].rename_to = epoch_at(d, 2);
		v->nodes[i].probe = epoch_at(d, 3);
		v->nodes[i].cursor = whole(d, 4);
		v->nodes[i].generation = whole(d, 5);
		v->nodes[i].witness = (struct position){whole(d, 6), head_at(d, 7)};
		v->nodes[i].halt = (int)whole(d, 8);
		v->nodes[i].digest = digest_at(d, 9);
		v->nodes[i].quarantined = whole(d, 21);
		v->nodes[i].resets = whole(d, 22);
		v->nodes[i].comparing = whole(d, 23) != 0;
	}
}

static void read_records(struct centre_view *v, struct database *d)
{
	database_select(d, CENTRE_RECORDS,
		"SELECT owner, id, type, deleted, actor, n, length(vv), h0, h1, local_h0, local_h1, "
		/* what the sweep has passed counts as of the present generation (store_known()) */
		"CASE WHEN h0 = local_h0 AND h1 = local_h1 AND (swept OR id <= sweep_after) THEN generation "
		"ELSE local_generation END"
		" FROM records JOIN nodes ON name = owner ORDER BY owner, id",
		0);

	while (next(d, &v->content)) {
		struct row *r = &v->nodes[site_at(d, 0)].rows[id_at(d, 1)];

		*r = row_at(d, 2);
		r->local_known = !database_null(d, 9);
		r->local = halves(d, 9);
		r->local_generation = whole(d, 11);
	}
}

static void read_archive(struct centre_view *v, struct database *d)
{
	database_select(d, CENTRE_ARCHIVE,
		"SELECT owner, id, type, deleted, actor, n, length(vv), h0, h1, conflict, why = 'conflict'"
		" FROM conflicts ORDER BY conflict",
		0);

	v->n_archive = 0;
	while (next(d, &v->content)) {
		if (v->n_archive == v->cap_archive) {
			v->cap_archive = v->cap_archive == 0 ? 16 : 2 * v->cap_archive;
			v->archive = realloc(v->archive, v->cap_archive * sizeof *v->archive);
			assert(v->archive != NULL);
		}
		v->archive[v->n_archive++] = (struct archived){.site = site_at(d, 0),
			.id = id_at(d, 1),
			.row = row_at(d, 2),
			.number = database_number(d, 9),
			.conflict = whole(d, 10)};
	}
}

static void read_abandoned(struct centre_view *v, struct database *d)
{
	database_select(d, CENTRE_ABANDONED,
		"SELECT node, epoch, witness_seq, witness_head FROM abandoned ORDER BY node, epoch", 0);

	v->n_abandoned = 0;
	while (next(d, &v->content)) {
		assert(v->n_abandoned < ABANDONED_MAX);
		v->abandoned[v->n_abandoned++] = (struct abandoned){.site = site_at(d, 0),
			.epoch = epoch_at(d, 1),
			.witness = {whole(d, 2), head_at(d, 3)}};
	}
}

static void read_quarantine(struct centre_view *v, struct database *d)
{
	database_select(d, CENTRE_QUARANTINE,
		"SELECT owner, id, quarantine, h0, h1, generation, attempts FROM quarantine ORDER BY "
		"quarantine",
		0);

	v->n_quarantine = 0;
	while (next(d, &v->content)) {
		assert(v->n_quarantine < QUARANTINE_MAX);
		v->quarantine[v->n_quarantine++] = (struct quarantined){.site = site_at(d, 0),
			.id = id_at(d, 1),
			.number = database_number(d, 2),
			.hash = halves(d, 3),
			.generation = whole(d, 5),
			.version = -1};
	}
}

static void read_events(struct centre_view *v, struct database *d)
{
	database_select(d, CENTRE_EVENTS,
		"SELECT event, kind, node FROM events WHERE event > $1 ORDER BY event", v->last_event);

	uint64_t rows = 0; /* the last one's number stands for them all */

	memset(v->told, 0, sizeof v->told);
	while (next(d, &rows)) {
		v->last_event = database_number(d, 0);
		for (unsigned i = 0; i < ALARMS; i++)
			if (strcmp(database_text(d, 1), alarm_names[i]) == 0)
				v->told[site_at(d, 2)] |= 1u << i;
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
	read_quarantine(v, d);
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

bool quarantined_held(const struct centre_view *v, const struct quarantined *q)
{
	return v->nodes[q->site].generation == q->generation;
}

bool centre_view_explains(const struct centre_view *v, unsigned site, unsigned id, struct hash h)
{
	for (size_t i = 0; i < v->n_quarantine; i++) {
		const struct quarantined *q = &v->quarantine[i];

		if (q->site == site && q->id == id && hash_equal(q->hash, h) && quarantined_held(v, q))
			return true;
	}
	return false;
}

void centre_view_done(struct centre_view *v)
{
	free(v->archive);
	memset(v, 0, sizeof *v);
}
