/* A refill by the sweep: what it has passed counts as held, though no row says so; and what is read ahead of it. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LOST 12

/* The local has lost all of its records, and the centre has just seen it. */
static void lose_all(struct stage *g, struct far *f)
{
	if (f->n == 0)
		far_put_many(f, LOST);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_pull(g, f, 100, NULL), OK);
}

static struct push_page next_page(struct stage *g, unsigned limit)
{
	struct node n = stage_node(g, "site-a");
	struct push_page p;

	assert_int_equal(store_push_page(g->store, "site-a", &n.sync, limit, 1 << 20, &p, &g->why), OK);
	return p;
}

static struct push_page page_ahead(struct stage *g, const struct push_page *sent, unsigned limit)
{
	struct node n = stage_node(g, "site-a");
	struct push_page p;

	memcpy(n.sync.sweep_after, sent->sweep_to, sizeof n.sync.sweep_after);
	assert_int_equal(store_push_ahead(g->store, "site-a", &n.sync, limit, 1 << 20, &p, &g->why), OK);
	return p;
}

static struct push_apply carry(struct stage *g, struct far *f, struct push_page *sent)
{
	static struct node n;
	struct push_answers answers;
	struct push_apply p = {.node = "site-a", .basis = &n.sync, .sent = sent, .answers = &answers};

	n = stage_node(g, "site-a");
	far_answer(f, sent->items, sent->n, &answers);
	assert_int_equal(store_apply_push(g->store, &p, &g->why), OK);
	push_page_done(sent);
	return p;
}

static void refill(struct stage *g, struct far *f)
{
	struct push_page sent;

	do {
		sent = next_page(g, 5);
		carry(g, f, &sent);
	} while (!stage_node(g, "site-a").sync.swept);
}

/* What is pushed next is this alone. */
static void assert_next(struct stage *g, const char *id, struct hash expected)
{
	struct push_page p = next_page(g, 5);

	assert_int_equal(p.n, 1);
	assert_true(span_is(p.items[0].record.id, id));
	assert_true(hash_equal(p.items[0].expected, expected));
	push_page_done(&p);
}

STAGE_TEST(a_refill_writes_no_rows)
{
	lose_all(g, f);
	refill(g, f);
	assert_int_equal(f->n, LOST);
	assert_string_equal(backstage_ask(g, "SELECT count(*) FROM records WHERE local_generation = "
					     "(SELECT generation FROM nodes)"),
		"0");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(an_edit_after_a_refill_expects_what_was_sent)
{
	struct hash sent;

	lose_all(g, f);
	refill(g, f);
	sent = far_get(f, "r0003")->hash;
	stage_put(g, "site-a", "r0003", "\"edited\"");
	assert_next(g, "r0003", sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

STAGE_TEST(an_edit_while_its_record_is_on_its_way_expects_what_was_sent)
{
	struct push_page sent;

	lose_all(g, f);
	sent = next_page(g, 100);
	assert_int_equal(sent.n, LOST);
	stage_put(g, "site-a", "r0003", "\"edited\"");
	carry(g, f, &sent);
	assert_next(g, "r0003", far_get(f, "r0003")->hash);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

STAGE_TEST(an_edit_before_the_sweep_comes_to_it_expects_nothing)
{
	struct push_page sent;

	lose_all(g, f);
	sent = next_page(g, 5);
	stage_put(g, "site-a", "r0008", "\"edited\"");
	carry(g, f, &sent);
	sent = next_page(g, 1);
	assert_true(span_is(sent.items[0].record.id, "r0008"));
	assert_true(hash_is_none(sent.items[0].expected));
	assert_int_equal(carry(g, f, &sent).applied, 1);
	refill(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

/* It differs from what the local held before, and the sweep offers it: so its row must say that it is held now. */
STAGE_TEST(a_version_that_was_rejected_once_is_noted_when_the_sweep_brings_it)
{
	far_put_many(f, LOST);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0003", "\"edited\"");
	f->reject = "r0003";
	assert_int_equal(stage_settle(g, f), PROOF_NONE);
	f->reject = NULL;
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0003", "\"again\"");
	assert_next(g, "r0003", far_get(f, "r0003")->hash);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

STAGE_TEST(what_was_lost_twice_is_sent_twice)
{
	struct push_page sent;

	lose_all(g, f);
	refill(g, f);
	lose_all(g, f);
	sent = next_page(g, 100);
	assert_int_equal(sent.n, LOST);
	for (size_t i = 0; i < sent.n; i++)
		assert_true(hash_is_none(sent.items[i].expected));
	carry(g, f, &sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* Lost again in the middle: what the sweep has passed before counts no more. */
STAGE_TEST(a_refill_that_is_lost_halfway_begins_anew)
{
	struct push_page sent;

	lose_all(g, f);
	sent = next_page(g, 5);
	carry(g, f, &sent);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_pull(g, f, 100, NULL), OK);
	stage_put(g, "site-a", "r0001", "\"edited\"");
	sent = next_page(g, 1);
	assert_true(span_is(sent.items[0].record.id, "r0001"));
	assert_true(hash_is_none(sent.items[0].expected));
	carry(g, f, &sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(f->n, LOST);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

STAGE_TEST(what_is_read_ahead_is_what_comes_next)
{
	struct push_page sent, ahead, after;

	lose_all(g, f);
	sent = next_page(g, 5);
	ahead = page_ahead(g, &sent, 5);
	carry(g, f, &sent);
	after = next_page(g, 5);
	assert_int_equal(ahead.n, 5);
	assert_int_equal(after.n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_true(hash_equal(ahead.items[i].record.hash, after.items[i].record.hash));
	assert_string_equal(ahead.sweep_to, after.sweep_to);
	push_page_done(&after);
	after = page_ahead(g, &ahead, 5);
	assert_int_equal(carry(g, f, &ahead).applied, 5);
	assert_int_equal(after.n, 2);
	assert_true(after.sweep_ends);
	assert_true(carry(g, f, &after).sync.swept);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(an_edit_of_what_was_read_ahead_is_pushed_after_it)
{
	struct push_page sent, ahead;

	lose_all(g, f);
	sent = next_page(g, 5);
	ahead = page_ahead(g, &sent, 100);
	stage_put(g, "site-a", "r0007", "\"edited\"");
	carry(g, f, &sent);
	assert_true(carry(g, f, &ahead).to_push);
	assert_next(g, "r0007", far_get(f, "r0007")->hash);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0007"), "\"edited\"");
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

/* The sweep does not send it, so it says nothing of it. */
STAGE_TEST(what_differed_before_the_reset_is_not_taken_for_held)
{
	static const struct push_page start;
	struct push_page ahead;

	far_put_many(f, LOST);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0003", "\"edited\"");
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_pull(g, f, 100, NULL), OK);
	ahead = page_ahead(g, &start, 100);
	assert_int_equal(ahead.n, LOST - 1);
	assert_true(carry(g, f, &ahead).sync.swept);
	assert_next(g, "r0003", (struct hash){{0}});
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

static struct digest_apply compare(struct stage *g, const struct far *f)
{
	struct node n = stage_node(g, "site-a");
	struct sync_change c = {.to = n.sync};
	struct digest_apply p;

	sync_compare(&c.to, &f->epoch, f->head);
	assert_int_equal(store_move_node(g->store, "site-a", &n.sync, &c, NULL, &g->why), OK);
	assert_int_equal(stage_digest(g, f, &p), OK);
	return p;
}

/* Also where buckets are compared, at the end and halfway. */
STAGE_TEST(what_the_sweep_has_passed_is_believed)
{
	static struct far older;
	struct push_page sent;
	struct digest_apply p;
	struct pull_apply pull;

	lose_all(g, f);
	sent = next_page(g, 5);
	carry(g, f, &sent);
	assert_int_equal(compare(g, f).verdict, APART_NONE);
	older = *f;
	refill(g, f);
	assert_int_equal(compare(g, f).verdict, APART_NONE);
	*f = older; /* and so is missed where the local has it no more */
	p = compare(g, f);
	assert_int_equal(p.verdict, APART_FEW);
	while (p.apart.n > 0)
		assert_int_equal(stage_fetch(g, f, &p.apart, APART_BUCKETS_MAX, &pull), OK);
	assert_true(pull.to_push);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(f->n, LOST);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

STAGE_TEST(nothing_is_read_ahead_of_a_basis_that_moved)
{
	struct node n;
	struct push_page sent, ahead;

	lose_all(g, f);
	sent = next_page(g, 5);
	n = stage_node(g, "site-a");
	carry(g, f, &sent);
	assert_int_equal(
		store_push_ahead(g->store, "site-a", &n.sync, 5, 1 << 20, &ahead, &g->why), CONFLICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refill_writes_no_rows),
		cmocka_unit_test(an_edit_after_a_refill_expects_what_was_sent),
		cmocka_unit_test(an_edit_while_its_record_is_on_its_way_expects_what_was_sent),
		cmocka_unit_test(an_edit_before_the_sweep_comes_to_it_expects_nothing),
		cmocka_unit_test(a_version_that_was_rejected_once_is_noted_when_the_sweep_brings_it),
		cmocka_unit_test(what_was_lost_twice_is_sent_twice),
		cmocka_unit_test(a_refill_that_is_lost_halfway_begins_anew),
		cmocka_unit_test(what_is_read_ahead_is_what_comes_next),
		cmocka_unit_test(an_edit_of_what_was_read_ahead_is_pushed_after_it),
		cmocka_unit_test(what_differed_before_the_reset_is_not_taken_for_held),
		cmocka_unit_test(what_the_sweep_has_passed_is_believed),
		cmocka_unit_test(nothing_is_read_ahead_of_a_basis_that_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
