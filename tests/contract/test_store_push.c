/* A store's pushes: exactly what the local lacks, and what each answer means. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct push_page page_of(struct stage *g, const char *node, unsigned limit, size_t bytes)
{
	struct node n = stage_node(g, node);
	struct push_page p;

	assert_int_equal(store_push_page(g->store, node, &n.sync, limit, bytes, &p, &g->why), OK);
	return p;
}

static enum err apply(struct stage *g, const struct push_page *sent, const struct push_answers *answers,
	struct push_apply *p)
{
	static struct node n;

	n = stage_node(g, "site-a");
	*p = (struct push_apply){.node = "site-a", .basis = &n.sync, .sent = sent, .answers = answers};
	return store_apply_push(g->store, p, &g->why);
}

STAGE_TEST(an_edit_is_pushed_once)
{
	struct push_apply p;
	struct pull_apply pull;

	far_put_many(f, 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0001", "\"edited\"");
	stage_put(g, "site-a", "new", "\"born here\"");
	stage_delete(g, "site-a", "r0002");
	assert_int_equal(stage_pull(g, f, 10, &pull), OK);
	assert_true(pull.to_push);
	assert_int_equal(pull.proof, PROOF_NONE);
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.applied, 3);
	assert_false(p.to_push);
	assert_int_equal(p.sync.witness.seq, f->head.seq);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0001")->body, "\"edited\""));
	assert_true(far_get(f, "r0002")->deleted);
	assert_int_equal(stage_events(g, "pushed"), 1);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

STAGE_TEST(what_was_just_pushed_is_not_read_back)
{
	struct push_apply p;

	far_put_many(f, 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0001", "\"edited\"");
	stage_put(g, "site-a", "new", "\"born here\"");
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
	assert_int_equal(stage_push(g, f, 1, &p), OK);
	assert_int_equal(p.sync.cursor, 5);
	assert_int_equal(stage_push(g, f, 1, &p), OK);
	assert_int_equal(p.sync.cursor, 6);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(what_came_between_is_read)
{
	struct push_page sent;
	struct push_answers answers;
	struct push_apply p;

	far_put_many(f, 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "new", "\"born here\"");
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_put(f, "between", "1");
	far_answer(f, sent.items, sent.n, &answers);
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_int_equal(p.applied, 1);
	assert_int_equal(p.sync.cursor, 4);
	push_page_done(&sent);

	stage_put(g, "site-a", "newer", "2");
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, sent.n, &answers);
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_int_equal(p.sync.cursor, 4); /* not all before it had been read */
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "between"), "1");
}

STAGE_TEST(an_answer_to_what_was_sent_before_the_content_was_replaced_is_discarded)
{
	struct push_page sent;
	struct push_answers answers;
	struct node n;
	struct push_apply p = {.node = f->name, .basis = &n.sync, .sent = &sent, .answers = &answers};

	far_put_many(f, 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "new", "1");
	sent = page_of(g, "site-a", 10, 1 << 20);
	n = stage_node(g, "site-a");
	far_answer(f, sent.items, sent.n, &answers);
	backstage_replace(g);
	assert_int_equal(store_apply_push(g->store, &p, &g->why), CONFLICT);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

static uint64_t actor_of(struct stage *g, const char *id)
{
	struct record r;

	assert_int_equal(store_record(g->store, span_of("site-a"), span_of(id), &r, &g->arena, &g->why), OK);
	return r.dot.actor;
}

/* What this opening wrote may be gone, and a later version would claim to know it. */
STAGE_TEST(replaced_content_is_followed_by_another_actor)
{
	uint64_t before;

	(void)f;
	stage_put(g, "site-a", "x", "1");
	before = actor_of(g, "x");
	stage_put(g, "site-a", "x", "2");
	assert_true(actor_of(g, "x") == before);
	backstage_replace(g);
	stage_put(g, "site-a", "x", "3");
	assert_true(actor_of(g, "x") != before);
}

/* The local lost its database: all of it goes back, in pages of any size, and nothing twice. */
STAGE_TEST(a_wiped_local_is_refilled)
{
	struct push_apply p;
	uint64_t pushed = 0;

	far_put_many(f, 23);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0007", "7");
	far_wipe(f);
	stage_reset(g, f);
	for (int turn = 0; turn < 10 && stage_node(g, "site-a").sync.swept == false; turn++) {
		assert_int_equal(stage_pull(g, f, 100, NULL), OK);
		assert_int_equal(stage_push(g, f, 5, &p), OK);
		assert_int_equal(p.already + p.refused, 0);
		pushed += p.applied;
		assert_true(p.sync.swept || p.sync.sweep_after[0]);
	}
	assert_int_equal(pushed, 23);
	assert_int_equal(f->n, 23);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 0);
}

/* Only a part was lost: only that part is sent. */
STAGE_TEST(after_a_reset_only_what_is_lacking_is_sent)
{
	static struct far backup;
	struct push_page sent;

	far_put_many(f, 10);
	backup = *f;
	far_put(f, "late", "1");
	far_put(f, "r0003", "\"newer\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	*f = backup;
	f->epoch = epoch_new();
	far_restart(f);
	stage_reset(g, f);
	assert_int_equal(stage_pull(g, f, 100, NULL), OK);
	sent = page_of(g, "site-a", 100, 1 << 20);
	assert_int_equal(sent.n, 2);
	assert_true(
		span_is(sent.items[0].record.id, "r0003")); /* it differs from the older one that was read */
	assert_true(hash_equal(sent.items[0].expected, far_get(f, "r0003")->hash));
	assert_true(span_is(sent.items[1].record.id, "late"));
	assert_true(hash_is_none(sent.items[1].expected));
	assert_true(sent.sweep_ends);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(a_page_holds_what_fits_and_at_least_one)
{
	struct push_page sent;
	char big[5001];

	memset(big, '1', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "a", big);
	stage_put(g, "site-a", "b", big);
	stage_put(g, "site-a", "c", "1");
	sent = page_of(g, "site-a", 100, 100);
	assert_int_equal(sent.n, 1);
	push_page_done(&sent);
	sent = page_of(g, "site-a", 100, 10900);
	assert_int_equal(sent.n, 2);
	push_page_done(&sent);
	sent = page_of(g, "site-a", 1, 1 << 20);
	assert_int_equal(sent.n, 1);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* The push answered for a later place in the log than the page that is read next. */
STAGE_TEST(the_witness_only_goes_forward)
{
	struct pull_apply p;

	far_put_many(f, 2);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_put_many(f, 2);
	stage_put(g, "site-a", "a", "1");
	assert_int_equal(stage_push(g, f, 10, NULL), OK);
	assert_int_equal(stage_pull(g, f, 1, &p), OK);
	assert_int_equal(p.sync.cursor, 3);
	assert_true(position_equal(p.sync.witness, f->head));
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(the_same_answers_twice_change_nothing)
{
	struct push_page sent;
	struct push_answers answers;
	struct push_apply p;
	const char *before;

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0000", "1");
	stage_put(g, "site-a", "r0001", "2");
	far_put(f, "r0001", "\"at the same time\"");
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, sent.n, &answers);
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_int_equal(p.applied, 1);
	assert_int_equal(p.refused, 1);
	assert_int_equal(p.conflicts, 1);
	before = stage_dump(g);
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	/* Of what is stored only the event is new: it did come twice. */
	assert_int_equal(strncmp(stage_dump(g), before, (size_t)(strstr(before, "{\"events\"") - before)), 0);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, NULL), 1);
}

STAGE_TEST(answers_to_something_else_are_invalid)
{
	struct push_page sent;
	struct push_answers answers;
	struct push_answer right[2];
	struct push_apply p;
	const char *before;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "a", "1");
	stage_put(g, "site-a", "b", "2");
	before = stage_dump(g);
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, sent.n, &answers);
	memcpy(right, answers.answers, sizeof(right));
	answers.n = 1;
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	answers.n = 2;
	answers.answers[1].id = span_of("c");
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	answers.answers[1] = right[0];
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	answers.answers[1] = right[1];
	answers.answers[1].hash.half[0] ^= 1;
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	answers.answers[1] = (struct push_answer){.id = span_of("b"),
		.result = PUSH_CONFLICT,
		.has_record = true,
		.record = sent.items[0].record};
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	assert_string_equal(stage_dump(g), before);
	answers.answers[0] = right[1]; /* in another order they are as good */
	answers.answers[1] = right[0];
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* Without lines for what was applied: only what adds up, and says of each line which it is, is an answer. */
STAGE_TEST(a_brief_answer_leaves_out_what_was_applied)
{
	struct push_page sent;
	struct push_answers answers;
	struct push_answer lines[4];
	struct push_apply p;
	const char *before;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_put(f, "b", "\"its own\"");
	stage_put(g, "site-a", "a", "1");
	stage_put(g, "site-a", "b", "2");
	stage_put(g, "site-a", "c", "3");
	stage_put(g, "site-a", "d", "4");
	before = stage_dump(g);
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, sent.n, &answers);
	memcpy(lines, answers.answers, sizeof(lines));
	answers.end.brief = true;
	answers.end.applied = 3;
	answers.n = 0;
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID); /* of one nothing is said */
	answers.end.applied = 4;
	answers.n = 1;
	answers.answers[0] = lines[1];
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	answers.end.applied = UINT64_MAX; /* and one more than all there are */
	answers.n = 5;
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	answers.end.applied = 3;
	answers.n = 1;
	for (size_t line = 0; line <= 5; line += 5) { /* of no line that was sent */
		answers.answers[0] = (struct push_answer){.result = PUSH_REJECTED, .line = line};
		assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	}
	answers.end.applied = 2;
	answers.n = 2;
	answers.answers[0] = lines[1];
	answers.answers[1] =
		(struct push_answer){.result = PUSH_REJECTED, .line = 2}; /* of one that has an answer */
	assert_int_equal(apply(g, &sent, &answers, &p), INVALID);
	assert_string_equal(stage_dump(g), before);
	answers.end.applied = 3;
	answers.n = 1;
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_int_equal(p.applied, 3);
	assert_int_equal(p.refused, 1);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(what_is_rejected_without_an_id_is_known_by_its_line)
{
	struct push_page sent;
	struct push_answers answers;
	struct push_apply p;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "a", "1");
	stage_put(g, "site-a", "b", "2");
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, 1, &answers); /* the second never came */
	answers.end.brief = true;
	answers.end.applied = 1;
	answers.n = 1;
	answers.answers[0] =
		(struct push_answer){.result = PUSH_REJECTED, .line = 2, .reason = span_of("no such type")};
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_int_equal(p.applied, 1);
	assert_int_equal(p.rejected, 1);
	push_page_done(&sent);
	sent = page_of(g, "site-a", 10, 1 << 20);
	assert_int_equal(sent.n, 0); /* not offered again */
	push_page_done(&sent);
}

STAGE_TEST(a_local_that_holds_nothing_gets_it_again)
{
	struct push_apply p;

	far_put_many(f, 2);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	f->n = 1; /* r0001 vanished from its table */
	stage_put(g, "site-a", "r0001", "2");
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.refused, 1);
	assert_true(p.to_push);
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.applied, 1);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(a_rejected_record_waits_for_its_next_change)
{
	struct push_apply p;
	struct pull_apply pull;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	f->reject = "bad";
	stage_put(g, "site-a", "bad", "1");
	stage_put(g, "site-a", "good", "1");
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.rejected, 1);
	assert_int_equal(p.applied, 1);
	assert_false(p.to_push);
	assert_int_equal(stage_events(g, "rejected"), 1);
	for (int i = 0; i < 3; i++) { /* not a proof, no doubt, no reset, no second try */
		assert_int_equal(stage_pull(g, f, 10, &pull), OK);
		assert_int_equal(pull.proof, PROOF_NONE);
		assert_false(pull.to_push);
		assert_int_equal(stage_push(g, f, 10, &p), OK);
		assert_int_equal(p.rejected, 0);
	}
	stage_put(g, "site-a", "bad", "2"); /* tried again, rejected again */
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.rejected, 1);
	f->reject = NULL; /* the local was brought up to date; a reset offers it again */
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "bad")->body, "2"));
}

STAGE_TEST(an_edit_since_is_pushed_although_its_forerunner_was_rejected)
{
	struct push_page sent;
	struct push_answers answers;
	struct push_apply p;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	f->reject = "bad";
	stage_put(g, "site-a", "bad", "1");
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, sent.n, &answers);
	stage_put(g, "site-a", "bad", "2");
	f->reject = NULL;
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_true(p.to_push);
	push_page_done(&sent);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "bad")->body, "2"));
}

STAGE_TEST(opening_offers_what_was_rejected_once_more)
{

	if (g->kind == STAGE_MEMORY)
		return;
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	f->reject = "bad";
	stage_put(g, "site-a", "bad", "1");
	assert_int_equal(stage_settle(g, f), PROOF_NONE);
	f->reject = NULL;
	assert_int_equal(stage_settle(g, f), PROOF_NONE);
	stage_reopen(g);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "bad")->body, "1"));
}

/* Swept records that are rejected are not taken for known. */
STAGE_TEST(a_rejection_during_the_sweep_does_not_claim_equality)
{
	struct pull_apply pull;
	struct push_apply p;

	far_put_many(f, 3);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_wipe(f);
	f->reject = "r0001";
	stage_reset(g, f);
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.rejected, 1);
	assert_int_equal(stage_pull(g, f, 10, &pull), OK);
	assert_int_equal(pull.proof, PROOF_NONE);
	assert_int_equal(pull.sync.halt, HALT_NONE);
	f->reject = NULL;
	stage_put(g, "site-a", "r0001", "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(a_stale_basis_is_refused)
{
	struct push_page sent, other = {0};
	struct push_answers answers;
	struct node n = stage_node(g, "site-a");
	struct push_apply p = {.node = "site-a", .basis = &n.sync, .sent = &sent, .answers = &answers};
	const char *before;

	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "a", "1");
	sent = page_of(g, "site-a", 10, 1 << 20);
	far_answer(f, sent.items, sent.n, &answers);
	stage_reset(g, f);
	before = stage_dump(g);
	assert_int_equal(store_apply_push(g->store, &p, &g->why), CONFLICT);
	assert_int_equal(
		store_push_page(g->store, "site-a", &n.sync, 10, 1 << 20, &other, &g->why), CONFLICT);
	assert_string_equal(stage_dump(g), before);
	push_page_done(&sent);
}

/* The first with a name and a reason, whatever else could not be read. */
STAGE_TEST(of_several_rejections_one_is_told)
{
	struct push_answer given[] = {
		{.result = PUSH_REJECTED, .reason = span_of("not JSON")},
		{.result = PUSH_REJECTED, .reason = span_of("no such type")},
		{.result = PUSH_REJECTED, .reason = span_of("too long")},
	};
	struct push_answers answers = {.answers = given, .n = 3};
	struct push_page sent;
	const struct event_query q = {.least_level = -1, .limit = 10};
	struct push_apply p;
	struct buf b = {0};

	for (unsigned i = 0; i < 3; i++)
		stage_put(g, "site-a", (const char *const[]){"a", "b", "c"}[i], "1");
	sent = page_of(g, "site-a", 10, 1 << 20);
	assert_int_equal(sent.n, 3);
	given[1].id = span_of("b");
	given[2].id = span_of("c");
	answers.end.to = f->head;
	assert_int_equal(apply(g, &sent, &answers, &p), OK);
	assert_int_equal(p.rejected, 3);
	assert_int_equal(stage_events(g, "rejected"), 1);
	assert_int_equal(store_events(g->store, &q, &b, &g->why), OK);
	assert_non_null(strstr(b.at, "rejected 3 records, first b: no such type"));
	push_page_done(&sent);
	sent = page_of(g, "site-a", 10, 1 << 20);
	assert_int_equal(sent.n, 0); /* none is offered again */
	push_page_done(&sent);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edit_is_pushed_once),
		cmocka_unit_test(what_was_just_pushed_is_not_read_back),
		cmocka_unit_test(what_came_between_is_read),
		cmocka_unit_test(an_answer_to_what_was_sent_before_the_content_was_replaced_is_discarded),
		cmocka_unit_test(replaced_content_is_followed_by_another_actor),
		cmocka_unit_test(a_wiped_local_is_refilled),
		cmocka_unit_test(after_a_reset_only_what_is_lacking_is_sent),
		cmocka_unit_test(a_page_holds_what_fits_and_at_least_one),
		cmocka_unit_test(the_witness_only_goes_forward),
		cmocka_unit_test(an_edit_since_is_pushed_although_its_forerunner_was_rejected),
		cmocka_unit_test(opening_offers_what_was_rejected_once_more),
		cmocka_unit_test(the_same_answers_twice_change_nothing),
		cmocka_unit_test(answers_to_something_else_are_invalid),
		cmocka_unit_test(a_brief_answer_leaves_out_what_was_applied),
		cmocka_unit_test(what_is_rejected_without_an_id_is_known_by_its_line),
		cmocka_unit_test(a_local_that_holds_nothing_gets_it_again),
		cmocka_unit_test(a_rejected_record_waits_for_its_next_change),
		cmocka_unit_test(a_rejection_during_the_sweep_does_not_claim_equality),
		cmocka_unit_test(a_stale_basis_is_refused),
		cmocka_unit_test(of_several_rejections_one_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
