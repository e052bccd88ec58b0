/* merge: COMPARE against what each version has seen, over every pair of small versions. */
#include "central/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/*
 * Two actors of the local, two of a centre, each with n up to 2: a version is its dot and what
 * it has seen.
 */
static const uint64_t actors[4] = {11, 12, ACTOR_CENTRE_BIT | 21, ACTOR_CENTRE_BIT | 22};

struct version {
	struct record record;
	struct vector vv;
	uint64_t known[4];
	unsigned own;
};

/* The own actor in `code % 4`, then four numbers of 0 … 2; false if the own number is 0. */
static bool version_make(struct version *v, unsigned code, bool deleted)
{
	v->own = code % 4;
	code /= 4;
	v->vv.n = 0;
	for (unsigned a = 0; a < 4; a++, code /= 3) {
		v->known[a] = code % 3;
		if (v->known[a] > 0)
			v->vv.at[v->vv.n++] = (struct dot){actors[a], v->known[a]};
	}
	v->record = (struct record){
		.owner = span_of("site"),
		.id = span_of("x"),
		.type = span_of("t"),
		.body = span_of(deleted ? "null" : "1"),
		.deleted = deleted,
		.dot = {actors[v->own], v->known[v->own]},
		.vv = v->vv.n > 1 ? &v->vv : NULL,
		.created_at_us = 1000 + v->own,
		.updated_at_us = 2000,
	};
	return v->known[v->own] > 0;
}
#define CODES (4 * 81)

static struct merge expected(
	const struct version *l, const struct version *c, bool known, enum merge_policy policy)
{
	bool l_in_c = c->known[l->own] >= l->known[l->own];
	bool c_in_l = l->known[c->own] >= c->known[c->own];
	bool restored = l->known[2] > c->known[2] || l->known[3] > c->known[3];
	bool local = policy == POLICY_OWNER;

	if (c_in_l && !l_in_c)
		return (struct merge){MERGE_TAKE, false, restored, restored};
	if (l_in_c && !c_in_l)
		return (struct merge){MERGE_KEEP, !known, false, false};
	if (l->record.deleted && !c->record.deleted)
		local = false;
	if (c->record.deleted && !l->record.deleted)
		local = true;
	return local ? (struct merge){MERGE_CONFLICT_LOCAL_WINS, false, true, false}
		     : (struct merge){MERGE_CONFLICT_CENTRE_WINS, true, false, false};
}

static bool same(struct merge a, struct merge b)
{
	return a.verdict == b.verdict && a.archive_local == b.archive_local &&
	       a.archive_centre == b.archive_centre && a.centre_was_restored == b.centre_was_restored;
}

static void check_in_every_setting(struct version *l, struct version *c)
{
	l->record.hash.half[0] = 1;
	c->record.hash.half[0] = 2;
	for (int known = 0; known < 2; known++)
		for (int policy = POLICY_OWNER; policy <= POLICY_CENTRE; policy++)
			assert_true(
				same(merge_compare(&l->record, &c->record, known, (enum merge_policy)policy),
					expected(l, c, known, (enum merge_policy)policy)));
}

static void every_pair_of_small_versions(void **state)
{
	unsigned pairs = 0;

	(void)state;
	for (unsigned deleted = 0; deleted < 4; deleted++)
		for (unsigned i = 0; i < CODES; i++)
			for (unsigned j = 0; j < CODES; j++) {
				struct version l, c;

				if (!version_make(&l, i, deleted & 1) || !version_make(&c, j, deleted & 2))
					continue;
				check_in_every_setting(&l, &c);
				pairs++;
			}
	assert_int_equal(pairs, 4 * 216 * 216);
}

static void absence_and_equality(void **state)
{
	struct version v, w;

	(void)state;
	assert_true(version_make(&v, 4 * 1, false));
	w = v;
	assert_int_equal(merge_compare(&v.record, NULL, false, POLICY_OWNER).verdict, MERGE_TAKE);
	assert_int_equal(merge_compare(NULL, &v.record, false, POLICY_OWNER).verdict, MERGE_KEEP);
	assert_int_equal(merge_compare(&v.record, &w.record, false, POLICY_OWNER).verdict, MERGE_NOTHING);
}

/* The successor covers both sides, so it follows whichever of them is met next. */
static void a_successor_follows_both(void **state)
{
	struct version l, c;
	struct vector vv;
	struct dot own = {ACTOR_CENTRE_BIT | 99, 7};
	struct record s;

	(void)state;
	assert_true(version_make(&l, 4 * (2 + 9 * 1), false));
	assert_true(version_make(&c, 2 + 4 * (1 + 9 * 2), false));
	l.record.hash = record_hash(&l.record);
	c.record.hash = record_hash(&c.record);
	s = merge_successor(&c.record, &l.record, own, 5000, 12, &vv);
	assert_true(span_equal(s.body, c.record.body));
	assert_int_equal(s.created_at_us, c.record.created_at_us);
	assert_int_equal(s.updated_at_us, 5000);
	assert_int_equal(s.clock_error_us, 12);
	assert_true(s.dot.actor == own.actor && s.dot.n == own.n);
	assert_true(hash_equal(s.hash, record_hash(&s)));
	assert_int_equal(merge_compare(&l.record, &s, true, POLICY_OWNER).verdict, MERGE_KEEP);
	assert_int_equal(merge_compare(&c.record, &s, true, POLICY_OWNER).verdict, MERGE_KEEP);
	for (unsigned a = 0; a < 4; a++) {
		uint64_t most = l.known[a] > c.known[a] ? l.known[a] : c.known[a];

		assert_int_equal(version_known(s.dot, s.vv, actors[a]), most);
	}
}

/* Two texts under one dot, as only a damaged end can have them: the next dot says all there is to know. */
static void a_successor_of_one_dot_needs_no_vector(void **state)
{
	struct record l = {.owner = span_of("a"),
			      .id = span_of("r"),
			      .type = span_of("t"),
			      .body = span_of("1"),
			      .dot = {ACTOR_CENTRE_BIT | 99, 6}},
		      c = l;
	struct vector vv;

	(void)state;
	c.body = span_of("2");
	l.hash = record_hash(&l);
	c.hash = record_hash(&c);
	assert_int_equal(merge_compare(&l, &c, false, POLICY_CENTRE).verdict, MERGE_CONFLICT_CENTRE_WINS);
	struct record s = merge_successor(&c, &l, (struct dot){ACTOR_CENTRE_BIT | 99, 7}, 5000, 12, &vv);
	assert_null(s.vv);
	assert_true(span_is(s.body, "2"));
	assert_int_equal(merge_compare(&l, &s, true, POLICY_OWNER).verdict, MERGE_KEEP);
	assert_int_equal(merge_compare(&s, &c, true, POLICY_OWNER).verdict, MERGE_TAKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_small_versions),
		cmocka_unit_test(absence_and_equality),
		cmocka_unit_test(a_successor_follows_both),
		cmocka_unit_test(a_successor_of_one_dot_needs_no_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
