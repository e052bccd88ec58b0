/* One record of a local meets the store's: COMPARE and what follows from it, written down. */
#include "central/store_sql_private.h"

#include <string.h>

#include "shared/clock.h"

static void archive(struct meeting *m, const struct record *r, const char *cause)
{
	if (store_archive(m->db, r, cause))
		m->archived++;
}

static void replace(struct meeting *m, struct hash before, const struct record *r, const struct known *k)
{
	digest_drop(&m->sync->digest, before);
	digest_add(&m->sync->digest, r->hash);
	store_replace_record(m->db, r, k);
}

static void take(struct meeting *m, const struct record *l, const struct standing *s, struct merge how)
{
	struct known k = {true, l->hash, m->sync->generation};
	struct record c;

	if (how.archive_centre && store_load_record(m->db, l->owner, l->id, &c, &m->arena))
		archive(m, &c, "centre_restored");
	m->centre_restored += how.centre_was_restored;
	replace(m, s->record.hash, l, &k);
	m->taken++;
}

/* The local keeps its version until the new one, which then differs, has been pushed. */
static void settle_conflict(struct meeting *m, const struct record *l, bool local_wins)
{
	struct known k = {true, l->hash, m->sync->generation};
	struct vector vv;
	struct record c, s;

	if (!store_load_record(m->db, l->owner, l->id, &c, &m->arena))
		return; /* it was there a moment ago: the read failed, and that sticks */
	archive(m, local_wins ? &c : l, "conflict");
	s = merge_successor(local_wins ? l : &c, local_wins ? &c : l, store_next_dot(m->st), clock_wall_us(),
		clock_error_us(), &vv);
	replace(m, c.hash, &s, &k);
	m->conflicts++;
}

struct merge store_compare(
	const struct meeting *m, const struct record *l, const struct standing *s, bool *ret_was_known)
{
	struct known then = store_known(&s->known, &s->record, m->sync);

	*ret_was_known = then.held && hash_equal(then.hash, l->hash);
	return merge_compare(l, &s->record, *ret_was_known, m->st->policy);
}

void store_meet_present(struct meeting *m, const struct record *l, const struct standing *s)
{
	struct known now = {true, l->hash, m->sync->generation};
	bool was_known;
	struct merge how = store_compare(m, l, s, &was_known);

	switch (how.verdict) {
	case MERGE_NOTHING:
		if (!was_known || s->refused)
			store_note_known(m->db, l, &now, false);
		break;
	case MERGE_TAKE:
		take(m, l, s, how);
		break;
	case MERGE_KEEP:
		if (how.archive_local)
			archive(m, l, "superseded");
		if (!was_known)
			store_note_known(m->db, l, &now, false);
		m->kept++;
		break;
	case MERGE_CONFLICT_LOCAL_WINS:
	case MERGE_CONFLICT_CENTRE_WINS:
		settle_conflict(m, l, how.verdict == MERGE_CONFLICT_LOCAL_WINS);
		break;
	}
}

enum fate store_fate(const struct meeting *m, const struct record *l, const struct standing *s)
{
	bool was_known;
	struct merge how = store_compare(m, l, s, &was_known);

	if (how.verdict == MERGE_NOTHING)
		return !was_known || s->refused ? FATE_NOTED : FATE_STAYS;
	if (how.verdict == MERGE_TAKE && !how.archive_centre && !how.centre_was_restored)
		return FATE_TAKEN;
	return FATE_HARD;
}

void store_count_replaced(struct meeting *m, const struct record *l, const struct standing *s)
{
	digest_drop(&m->sync->digest, s->record.hash);
	digest_add(&m->sync->digest, l->hash);
	m->taken++;
}

static bool insert(struct meeting *m, const struct record *l)
{
	struct known k = {true, l->hash, m->sync->generation};

	if (!store_insert_record(m->db, l, &k))
		return false;
	digest_add(&m->sync->digest, l->hash);
	m->taken++;
	return true;
}

void store_meet(struct meeting *m, const struct record *l)
{
	struct standing s;

	if (!m->look_first && insert(m, l))
		return;
	store_look(m->db, l->owner, l->id, &s);
	m->look_first = s.present;
	if (s.present)
		store_meet_present(m, l, &s);
	else if (db_failed(m->db, NULL) == OK && !insert(m, l))
		store_record_left_out(m->db, l);
}
