/* The scheduler and a store that is away, full or read-only: it is waited for, said once, and nothing is lost. */
#include "tests/contract/scheduled.h"

static bool blames_the_store(struct lab *l, const struct node_view *v)
{
	(void)l;
	assert_int_not_equal(v->state, NODE_OFFLINE); /* at no time */
	return v->state == NODE_CATCHING_UP && strstr(v->reason.text, "own store") &&
	       strstr(v->reason.text, trouble.why);
}

static void await_refusals(unsigned n)
{
	assert_true(EVENTUALLY(PATIENCE_MS, trouble.refused >= n));
}

static bool says_that_it_works(struct lab *l, const struct node_view *v)
{
	(void)l;
	(void)v;
	return trouble.told_works > 0;
}

static void test_a_store_that_is_away_is_waited_for(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = "could not connect to server";
	trouble.reads = trouble.writes = RETRY;
	put_at_local(l, "meanwhile");
	AWAIT(blames_the_store);
	int64_t start_us = clock_mono_us();
	unsigned before = trouble.refused, asked = arrived;
	await_refusals(before + 3);
	/* It is tried again and again, but not over and over, and the node is left alone. */
	unsigned most = before + 2 + (unsigned)((clock_mono_us() - start_us) * 8 / 1000000);
	assert_in_range(trouble.refused, before + 3, most > before + 3 ? most : before + 3);
	assert_int_equal(arrived, asked);
	assert_int_equal(trouble.told_fails, 1);
	trouble.reads = trouble.writes = OK;
	AWAIT(holds_one);
	AWAIT(says_that_it_works);
	AWAIT(says_that_it_works);
	assert_int_equal(view(l).run.failures, 0);
	assert_int_equal(trouble.told_fails, 1);
	assert_int_equal(trouble.told_works, 1);
	assert_false(scheduler_totals(l->scheduler).store_failed);
}

/* It can be read, and says that it cannot be written. */
static void test_a_store_whose_disk_is_full_heals(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = REASON_DISK_FULL;
	trouble.writes = RETRY;
	put_at_local(l, "first");
	AWAIT(blames_the_store);
	await_refusals(trouble.refused + 2);
	assert_int_equal(trouble.told_fails, 1);
	assert_int_equal(trouble.told_works, 0);
	assert_true(scheduler_totals(l->scheduler).store_failed);
	trouble.writes = OK;
	AWAIT(holds_one);
	AWAIT(says_that_it_works);
	assert_int_equal(trouble.told_fails, 1);
	assert_int_equal(trouble.told_works, 1);
}

static void test_a_node_added_when_the_store_cannot_be_read_is_asked_later(void **state)
{
	struct lab *l = *state;
	struct node_view v;
	trouble.why = "could not connect to server";
	trouble.reads = RETRY;
	add(l, server_url(l->server));
	await_refusals(3);
	assert_false(scheduler_view(l->scheduler, NODE, &v, NULL)); /* nothing is known of it yet */
	trouble.reads = OK;
	assert_true(is_shown(l));
	AWAIT(in_sync);
}

static bool store_works(struct lab *l, const struct node_view *v)
{
	(void)v;
	return !scheduler_totals(l->scheduler).store_failed;
}

/* An event that was not stored is no longer wanted when the state is again what was stored last. */
static void test_a_store_is_well_when_nothing_is_owed_to_it(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = REASON_DISK_FULL;
	trouble.writes = trouble.events = RETRY;
	put_at_local(l, "first");
	AWAIT(blames_the_store);
	await_refusals(trouble.refused + 2);
	trouble.writes = OK;
	AWAIT(holds_one);
	AWAIT(says_that_it_works);
	trouble.events = OK;
	scheduler_ask(l->scheduler, NODE);
	AWAIT(store_works);
	assert_int_equal(trouble.told_fails, 1);
}

/* Its answer was not taken, and it will give no other one. */
static void test_a_paused_node_does_not_blame_the_store(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	trouble.why = REASON_DISK_FULL;
	trouble.writes = RETRY;
	put_at_local(l, "first");
	AWAIT(blames_the_store);
	trouble.events = trouble.writes;
	trouble.writes = OK;
	MUST(store_node_pause(l->store, NULL, NODE, true, &l->why));
	scheduler_changed(l->scheduler, NODE);
	await_refusals(trouble.refused + 2); /* nor is the event of its pause given up */
	trouble.events = OK;
	AWAIT(store_works);
	MUST(store_node_pause(l->store, NULL, NODE, false, &l->why));
	scheduler_changed(l->scheduler, NODE);
	AWAIT(holds_one);
}

#define MANY 600

static void add_many(struct lab *l, const char *names[MANY])
{
	static char text[MANY][32];
	for (unsigned i = 0; i < MANY; i++) {
		char url[64];
		(void)snprintf(text[i], sizeof text[i], "s-%04u", i);
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%u", 20000 + i);
		MUST(store_node_add(l->store, NULL, text[i], url, "", &l->why));
		names[i] = text[i];
	}
	scheduler_changed_all(l->scheduler, names, MANY);
}

static bool all_told(struct lab *l, const struct node_view *v)
{
	(void)v;
	return trouble.stored >= MANY && !scheduler_totals(l->scheduler).store_failed;
}

/* Each try may take seconds, and the workers are there for answers: one tries at a time, and now and then; and all is stored at last. */
static void test_words_of_many_do_not_queue_before_a_store_that_takes_none(void **state)
{
	struct lab *l = *state;
	const char *names[MANY];
	add_and_settle(l);
	add_many(l, names);
	trouble.why = REASON_DISK_FULL;
	trouble.stored = 0;
	trouble.events = RETRY;
	int64_t start_us = clock_mono_us();
	for (unsigned i = 0; i < MANY; i++)
		MUST(store_node_pause(l->store, NULL, names[i], true, &l->why));
	scheduler_changed_all(l->scheduler, names, MANY);
	await_refusals(4);
	unsigned most = 4 + (unsigned)((clock_mono_us() - start_us) * 8 / 1000000);
	assert_in_range(trouble.refused, 4, most);
	assert_int_equal(trouble.told_fails, 1);
	trouble.events = OK;
	AWAIT(all_told);
	assert_int_equal(trouble.stored, MANY);
	assert_int_equal(trouble.told_works, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEDULER_TEST(test_a_store_that_is_away_is_waited_for),
		SCHEDULER_TEST(test_a_node_added_when_the_store_cannot_be_read_is_asked_later),
		SCHEDULER_TEST(test_a_store_whose_disk_is_full_heals),
		SCHEDULER_TEST(test_a_store_is_well_when_nothing_is_owed_to_it),
		SCHEDULER_TEST(test_a_paused_node_does_not_blame_the_store),
		SCHEDULER_TEST(test_words_of_many_do_not_queue_before_a_store_that_takes_none),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
