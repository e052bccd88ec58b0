/* A store and pages of many records: new, changed, known and disputed ones in any mixture. */
#include "central/store_sql_heap.h"
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY 1200

static void put_range(struct far *f, unsigned from, unsigned to, const char *body)
{
	char id[32];

	for (unsigned i = from; i < to; i++) {
		snprintf(id, sizeof(id), "r%04u", i);
		far_put(f, id, body);
	}
}

static struct pull_apply pull_all(struct stage *g, struct far *f)
{
	struct pull_apply p;

	if (stage_pull(g, f, 10000, &p) != OK)
		fail_msg("%s", g->why.text);
	return p;
}

static void assert_equal_ends(struct stage *g, struct far *f)
{
	struct digest sum;
	struct node n;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	n = stage_node(g, f->name);
	sum = far_digest(f);
	assert_true(digest_equal(n.sync.digest, sum));
}

/* How many rows were put anew, in PostgreSQL; and what somebody else does just before, once. */
static size_t anew;
static void (*before_anew)(struct stage *g);
static struct stage *before_anew_on;

void __real_store_heap_remove(struct meeting *m, const struct heap *h, const struct row_place *places);
void __wrap_store_heap_remove(struct meeting *m, const struct heap *h, const struct row_place *places);
void __wrap_store_heap_remove(struct meeting *m, const struct heap *h, const struct row_place *places)
{
	void (*happens)(struct stage * g) = before_anew;

	anew += h->n;
	before_anew = NULL;
	if (happens)
		happens(before_anew_on);
	__real_store_heap_remove(m, h, places);
}

STAGE_TEST(many_new_records_go_in_at_once)
{
	put_range(f, 0, MANY, "{\"v\":1}");
	assert_int_equal(pull_all(g, f).taken, MANY);
	assert_equal_ends(g, f);
}

STAGE_TEST(many_changed_records_replace_theirs)
{
	put_range(f, 0, MANY, "1");
	assert_int_equal(pull_all(g, f).taken, MANY);
	put_range(f, 0, MANY, "[\"two\"]");
	far_delete(f, "r0700");
	assert_int_equal(pull_all(g, f).taken, MANY);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "[\"two\"]");
	assert_string_equal(stage_body(g, "site-a", "r0700"), "-");
	far_restart(f); /* now each change carries a vector */
	put_range(f, 0, 600, "3");
	put_range(f, 600, 620, "4");
	assert_int_equal(pull_all(g, f).taken, 620);
	assert_string_equal(stage_body(g, "site-a", "r0619"), "4");
	put_range(f, 100, 110, "5"); /* few */
	assert_int_equal(pull_all(g, f).taken, 10);
	assert_string_equal(stage_body(g, "site-a", "r0109"), "5");
	assert_int_equal(stage_conflicts(g, NULL), 0);
	assert_equal_ends(g, f);
}

/* Whatever way a record goes in, all of it does. */
static void assert_same_records(struct stage *g, const struct far *f)
{
	struct buf here = {0}, there = {0};
	struct record r;

	for (size_t i = 0; i < f->n; i++) {
		const struct record *l = &f->rows[i].record;

		assert_int_equal(store_record(g->store, l->owner, l->id, &r, &g->arena, &g->why), OK);
		r.seq = l->seq; /* the local's alone */
		buf_clear(&here);
		buf_clear(&there);
		record_encode(&r, &here);
		record_encode(l, &there);
		assert_string_equal(here.at, there.at);
	}
	buf_done(&here);
	buf_done(&there);
}

STAGE_TEST(many_records_go_in_whole)
{
	put_range(f, 0, MANY, "1");
	far_restart(f);
	put_range(f, 0, MANY, "2"); /* new to the centre, and with a vector */
	for (size_t i = 0; i < f->n; i += 2)
		f->rows[i].record.clock_error_us = (int64_t)i;
	assert_int_equal(pull_all(g, f).taken, MANY);
	assert_same_records(g, f);
	for (unsigned to = 10; to < MANY; to += MANY - 100) { /* few changes, many */
		far_restart(f);
		put_range(f, 0, to, to == 10 ? "3" : "4");
		for (size_t i = 0; i < f->n; i += 3)
			if (f->rows[i].record.seq > f->head.seq - to)
				f->rows[i].record.clock_error_us = (int64_t)i + 1;
		assert_int_equal(pull_all(g, f).taken, to);
		assert_same_records(g, f);
	}
}

STAGE_TEST(a_page_may_hold_everything_at_once)
{
	struct pull_apply p;

	put_range(f, 0, 900, "1");
	(void)pull_all(g, f);
	stage_put(g, "site-a", "r0005", "\"centre\"");
	stage_put(g, "site-a", "r0006", "\"centre\"");
	stage_delete(g, "site-a", "r0007");
	put_range(f, 0, 700, "2");
	put_range(f, 900, MANY, "\"new\"");
	p = pull_all(g, f);
	assert_int_equal(p.conflicts, 3);
	assert_int_equal(p.archived, 3);
	assert_int_equal(p.taken, 700 - 3 + MANY - 900);
	assert_equal_ends(g, f);
	assert_string_equal(stage_body(g, "site-a", "r0005"), "2");
	assert_int_equal(stage_events(g, "conflict"), 1);
}

/* Beside new ones, and those that were edited or deleted at the centre; few are changed where they stand. */
STAGE_TEST(very_many_changed_records_are_put_anew)
{
	struct pull_apply p;

	anew = 0;
	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	stage_put(g, "site-a", "r0005", "\"centre\"");
	stage_delete(g, "site-a", "r0007");
	put_range(f, 0, MANY + 100, "2");
	far_delete(f, "r0008");
	p = pull_all(g, f);
	assert_int_equal(p.conflicts, 2);
	assert_int_equal(p.taken, MANY - 2 + 100);
	assert_int_equal(anew, g->kind == STAGE_POSTGRES ? MANY - 2 : 0);
	assert_string_equal(stage_body(g, "site-a", "r0004"), "2");
	assert_string_equal(stage_body(g, "site-a", "r0008"), "-");
	assert_equal_ends(g, f);
	anew = 0;
	put_range(f, 0, 900, "3");
	assert_int_equal(pull_all(g, f).taken, 900);
	assert_int_equal(anew, 0);
	assert_same_records(g, f);
	assert_equal_ends(g, f);
}

/* What was removed to be put anew stands again, as it was, where its new version is refused. */
STAGE_TEST(one_that_is_refused_among_very_many_stays_as_it_was)
{
	struct pull_apply p;

	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	backstage_forbid(g, g->kind == STAGE_POSTGRES ? "body::text = '3'" : "body = '3'");
	put_range(f, 0, MANY + 1, "2");
	far_put(f, "r0700", "3");
	p = pull_all(g, f);
	assert_int_equal(p.taken, MANY);
	assert_int_equal(p.quarantine.in, 1);
	assert_string_equal(stage_body(g, "site-a", "r0699"), "2");
	assert_string_equal(stage_body(g, "site-a", "r0700"), "1");
	assert_string_equal(stage_body(g, "site-a", "r0701"), "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_allow(g);
	put_range(f, 700, 701, "4");
	assert_equal_ends(g, f);
}

/* Leaves one record out without a word, as a trigger may. */
static void leave_out(struct stage *g, const char *id)
{
	static const char *const at[] = {"INSERT", "UPDATE"};
	char sql[512];

	if (g->kind == STAGE_POSTGRES) {
		snprintf(sql, sizeof(sql),
			"CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id "
			"= '%s' "
			"THEN RETURN NULL; END IF; RETURN NEW; END $$; CREATE TRIGGER leave_out BEFORE "
			"INSERT OR "
			"UPDATE ON records FOR EACH ROW EXECUTE FUNCTION leave_out()",
			id);
		backstage_run(g, sql);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(sql, sizeof(sql),
			"CREATE TRIGGER leave_out_%s BEFORE %s ON records WHEN NEW.id = '%s' BEGIN SELECT "
			"RAISE(IGNORE); END",
			at[i], at[i], id);
		backstage_run(g, sql);
	}
	assert_int_equal(store_ping(g->store, &g->why), OK); /* notices that the schema is another */
}

/* Neither lost nor counted as if it were there. */
STAGE_TEST(a_changed_record_that_is_left_out_is_told)
{
	struct pull_apply p;

	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	leave_out(g, "r0700");
	put_range(f, 0, MANY, "2");
	p = pull_all(g, f);
	assert_int_equal(p.taken, MANY - 1);
	assert_int_equal(p.quarantine.in, 1);
	assert_true(stage_quarantines(g, "leaves record r0700 out"));
	assert_string_equal(stage_body(g, "site-a", "r0700"), "1");
	assert_string_equal(stage_body(g, "site-a", "r0701"), "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(a_new_record_that_is_left_out_is_told)
{
	struct pull_apply p;

	leave_out(g, "r0007");
	put_range(f, 0, 20, "1"); /* few, which go in with others' */
	p = pull_all(g, f);
	assert_int_equal(p.taken, 19);
	assert_int_equal(p.quarantine.in, 1);
	put_range(f, 20, MANY, "1");
	put_range(f, 7, 8, "2");
	p = pull_all(g, f);
	assert_int_equal(p.taken, MANY - 20);
	assert_int_equal(p.quarantine.in, 1);
	assert_string_equal(stage_body(g, "site-a", "r0007"), "");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* By hand, as it must not be. */
static void move_a_row(struct stage *g)
{
	backstage_run(g, "UPDATE records SET type = 'by hand' WHERE id = 'r0700'");
}

STAGE_TEST(rows_that_moved_since_they_were_looked_at_are_read_again)
{
	if (g->kind != STAGE_POSTGRES)
		return;
	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	put_range(f, 0, MANY, "2");
	anew = 0;
	before_anew = move_a_row;
	before_anew_on = g;
	assert_int_equal(pull_all(g, f).taken, MANY);
	assert_int_equal(anew, MANY); /* then one by one */
	assert_same_records(g, f);
	assert_equal_ends(g, f);
}

STAGE_TEST(many_records_read_again_change_nothing_but_what_is_known)
{
	struct pull_apply p;

	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	assert_equal_ends(g, f);
	stage_reset(g, f);
	p = pull_all(g, f);
	assert_int_equal(p.taken + p.kept + p.conflicts + p.archived, 0);
	assert_equal_ends(g, f);
	put_range(f, 0, 3, "2"); /* what is new after what was known */
	put_range(f, MANY, MANY + 10, "1");
	assert_int_equal(pull_all(g, f).taken, 13);
	put_range(f, MANY + 10, MANY + 20, "1");
	assert_int_equal(pull_all(g, f).taken, 10);
	assert_equal_ends(g, f);
}

STAGE_TEST(a_wiped_local_of_many_is_refilled)
{
	struct push_apply p;
	uint64_t pushed = 0;

	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	assert_equal_ends(g, f);
	far_wipe(f);
	stage_reset(g, f);
	(void)pull_all(g, f);
	for (int turn = 0; turn < 10 && !stage_node(g, "site-a").sync.swept; turn++) {
		assert_int_equal(stage_push(g, f, 700, &p), OK);
		pushed += p.applied;
	}
	assert_int_equal(pushed, MANY);
	assert_equal_ends(g, f);
}

/* No local does that; a store must not be confused by one that does. */
STAGE_TEST(a_record_may_stand_twice_in_a_page)
{
	for (int round = 0; round < 2; round++) { /* new; then changed */
		struct node n = stage_node(g, "site-a");
		struct page page;
		struct record records[3];
		struct pull_apply p = {.node = f->name, .basis = &n.sync, .page = &page};

		far_put(f, "a", round ? "3" : "1");
		far_page(f, n.sync.cursor, 10, &page);
		assert_int_equal(page.n, 1);
		records[0] = page.records[0];
		far_put(f, "a", round ? "4" : "2");
		far_put(f, "b", "1");
		far_page(f, n.sync.cursor, 10, &page);
		assert_int_equal(page.n, 2);
		records[1] = page.records[0];
		records[2] = page.records[1];
		page.records = records;
		page.n = 3;
		assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
		assert_int_equal(p.result, OK);
		assert_string_equal(stage_body(g, "site-a", "a"), round ? "4" : "2");
		assert_string_equal(stage_body(g, "site-a", "b"), "1");
		assert_int_equal(stage_conflicts(g, NULL), 0);
		assert_equal_ends(g, f);
	}
}

/* With the same ids, as nodes may have: what is staged for one must not reach the other. */
/* Applies the page in which what stands at `at` stands again, changed once more, at its end. */
static struct pull_apply apply_with_another(
	struct stage *g, struct far *f, size_t at, void (*change)(struct far *f))
{
	struct node n = stage_node(g, "site-a");
	struct page page;
	struct record *records;
	struct pull_apply p = {.node = f->name, .basis = &n.sync, .page = &page};

	far_page(f, n.sync.cursor, 10000, &page);
	records = arena_alloc(&g->arena, (page.n + 1) * sizeof(*records));
	memcpy(records, page.records, page.n * sizeof(*records));
	change(f);
	far_page(f, n.sync.cursor + page.n, 10, &page);
	assert_int_equal(page.n, 1);
	far_page(f, n.sync.cursor, 10000, &page);
	assert_true(span_equal(records[at].id, page.records[page.n - 1].id));
	records[page.n] = page.records[page.n - 1];
	page.records = records;
	page.n++;
	if (store_apply_pages(g->store, &p, 1, &g->why) != OK || p.result != OK)
		fail_msg("%s", g->why.text);
	return p;
}

static void change_r0700(struct far *f)
{
	far_put(f, "r0700", "3");
}

STAGE_TEST(a_record_may_stand_twice_among_very_many)
{
	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	put_range(f, 0, MANY, "2");
	anew = 0;
	assert_int_equal(apply_with_another(g, f, 700, change_r0700).taken, MANY + 1);
	assert_true(g->kind != STAGE_POSTGRES || anew > 0);
	assert_int_equal(stage_conflicts(g, NULL), 0);
	assert_same_records(g, f);
	assert_equal_ends(g, f);
}

/* Each version meets what the one before it made of the store's. */
static struct record edited;

static void change_edited(struct far *f)
{
	far_hold(f, &edited); /* as if it had been pushed: what follows knows it */
	far_put(f, "r0700", "3");
}

STAGE_TEST(a_record_may_stand_twice_where_it_was_edited)
{
	struct pull_apply p;

	put_range(f, 0, MANY, "1");
	(void)pull_all(g, f);
	stage_put(g, "site-a", "r0700", "\"centre\"");
	assert_int_equal(
		store_record(g->store, span_of("site-a"), span_of("r0700"), &edited, &g->arena, &g->why), OK);
	put_range(f, 0, MANY, "2");
	p = apply_with_another(g, f, 700, change_edited);
	assert_int_equal(p.taken, MANY - 1);
	assert_int_equal(p.conflicts, 2);
	assert_int_equal(p.archived, 2);
	assert_string_equal(stage_body(g, "site-a", "r0700"), "3");
	assert_equal_ends(g, f);
}

STAGE_TEST(many_changes_of_two_nodes_in_one_transaction)
{
	static struct far other;
	struct node a, b;
	struct page page_a, page_b;
	struct pull_apply p[2];

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	for (unsigned round = 0; round < 2; round++) {
		put_range(f, 0, MANY, round ? "2" : "1");
		put_range(&other, 0, MANY, round ? "4" : "3");
		a = stage_node(g, "site-a");
		b = stage_node(g, "site-b");
		far_page(f, a.sync.cursor, MANY, &page_a);
		far_page(&other, b.sync.cursor, MANY, &page_b);
		p[0] = (struct pull_apply){.node = "site-a", .basis = &a.sync, .page = &page_a};
		p[1] = (struct pull_apply){.node = "site-b", .basis = &b.sync, .page = &page_b};
		assert_int_equal(store_apply_pages(g->store, p, 2, &g->why), OK);
		assert_int_equal(p[0].result, OK);
		assert_int_equal(p[1].result, OK);
	}
	assert_string_equal(stage_body(g, "site-a", "r0007"), "2");
	assert_string_equal(stage_body(g, "site-b", "r0007"), "4");
	assert_equal_ends(g, f);
	assert_equal_ends(g, &other);
}

/* Read again: a third as it was, a third changed meanwhile, a third new; few of each, and many. */
STAGE_TEST(a_reset_finds_what_is_the_same_changed_and_new)
{
	for (unsigned each = 30; each <= 600; each += 570) {
		put_range(f, 0, 2 * each, "1");
		(void)pull_all(g, f);
		put_range(f, each, 2 * each, "2");
		put_range(f, 2 * each, 3 * each, "3");
		stage_reset(g, f);
		assert_int_equal(pull_all(g, f).taken, 2 * each);
		assert_int_equal(stage_conflicts(g, NULL), 0);
		assert_string_equal(stage_body(g, "site-a", "r0000"), "1");
		assert_string_equal(stage_body(g, "site-a", each == 30 ? "r0030" : "r0600"), "2");
		assert_string_equal(stage_body(g, "site-a", each == 30 ? "r0060" : "r1200"), "3");
		assert_equal_ends(g, f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_new_records_go_in_at_once),
		cmocka_unit_test(many_changed_records_replace_theirs),
		cmocka_unit_test(many_records_go_in_whole),
		cmocka_unit_test(a_page_may_hold_everything_at_once),
		cmocka_unit_test(very_many_changed_records_are_put_anew),
		cmocka_unit_test(one_that_is_refused_among_very_many_stays_as_it_was),
		cmocka_unit_test(a_changed_record_that_is_left_out_is_told),
		cmocka_unit_test(a_new_record_that_is_left_out_is_told),
		cmocka_unit_test(rows_that_moved_since_they_were_looked_at_are_read_again),
		cmocka_unit_test(many_records_read_again_change_nothing_but_what_is_known),
		cmocka_unit_test(a_wiped_local_of_many_is_refilled),
		cmocka_unit_test(a_record_may_stand_twice_in_a_page),
		cmocka_unit_test(a_record_may_stand_twice_among_very_many),
		cmocka_unit_test(a_record_may_stand_twice_where_it_was_edited),
		cmocka_unit_test(a_reset_finds_what_is_the_same_changed_and_new),
		cmocka_unit_test(many_changes_of_two_nodes_in_one_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
