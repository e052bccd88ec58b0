/* The scheduler with a real store, a real transfer and a real local: what has to happen at once does. */
#include "tests/contract/scheduled.h"

static bool holds_two(struct lab *l, const struct node_view *v)
{
	return v->state == NODE_IN_SYNC && v->node.sync.digest.count == 2 && local_count(l) == 2;
}

static void test_news_of_either_end_travel_at_once(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	put_at_centre(l, "from-the-centre");
	struct node_view edited = view(l);
	assert_true(edited.state != NODE_IN_SYNC || edited.run.pushed == 1); /* not until it is pushed */
	AWAIT(holds_one);
	assert_int_equal(local_count(l), 1);
	put_at_local(l, "from-the-local");
	AWAIT(holds_two);
	struct node_view v = view(l);
	assert_int_equal(v.run.polls_failed, 0); /* an interrupted pull is no failure */
	assert_int_equal(v.run.pushed, 1);
	assert_int_equal(v.run.pulled, 1);
}

#define EDITS 40

static bool holds_all_edits(struct lab *l, const struct node_view *v)
{
	return v->state == NODE_IN_SYNC && !v->run.to_push && local_count(l) == EDITS;
}

static void test_many_edits_in_a_row_all_arrive_with_few_interruptions(void **state)
{
	struct lab *l = *state;
	char id[24];
	int64_t start_us = clock_mono_us();
	add_and_settle(l);
	for (int i = 0; i < EDITS; i++) {
		snprintf(id, sizeof id, "edit-%d", i);
		put_at_centre(l, id);
		poll(NULL, 0, 5);
	}
	AWAIT(holds_all_edits);
	struct node_view v = view(l);
	int64_t seconds = (clock_mono_us() - start_us) / 1000000 + 1;
	assert_int_equal(v.run.polls_failed, 0);
	assert_true(v.run.polls_ok > 2);
	/* Each interruption leaves a request parked at the local: not more than one a second. */
	assert_in_range(arrived, v.run.polls_ok, v.run.polls_ok + (uint64_t)seconds + 1);
}

static bool failed_again(struct lab *l, const struct node_view *v)
{
	return waits(l, v) && v->run.polls_failed >= 2;
}

static void test_a_question_and_a_new_url_do_not_wait_for_the_backoff(void **state)
{
	struct lab *l = *state;
	add(l, "http://127.0.0.1:9");
	AWAIT(waits);
	struct node_view v = view(l);
	assert_int_equal(v.state, NODE_NEVER_SEEN);
	assert_int_equal(v.run.last_result, POLL_REFUSED);
	assert_int_equal(v.results[POLL_REFUSED], 1);
	scheduler_ask(l->scheduler, NODE);
	AWAIT(failed_again);
	MUST(store_node_edit(l->store, NULL, NODE, server_url(l->server), NULL, NULL, &l->why));
	scheduler_changed(l->scheduler, NODE);
	scheduler_ask(l->scheduler, NODE);
	AWAIT(in_sync);
}

static bool asked_twice(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->run.polls_ok >= 4;
}

static void test_a_question_interrupts_a_parked_pull(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	uint64_t before = view(l).run.polls_ok;
	assert_in_range(before, 1, 3);
	while (view(l).run.polls_ok < before + 2) {
		scheduler_ask(l->scheduler, NODE);
		poll(NULL, 0, 20);
	}
	AWAIT(asked_twice);
	assert_int_equal(view(l).run.polls_failed, 0);
}

/* Hundreds of them cut hundreds of requests short, until the local had no connection left. */
static void test_another_title_leaves_the_parked_pull_alone(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	for (int i = 0; i < 50; i++) {
		MUST(store_node_edit(l->store, NULL, NODE, NULL, i % 2 ? "odd" : "even", NULL, &l->why));
		scheduler_renamed(l->scheduler, NODE);
		assert_string_equal(view(l).title, i % 2 ? "odd" : "even");
	}
	put_at_local(l, "meanwhile");
	AWAIT(holds_one);
	assert_int_equal(view(l).results[POLL_CANCELLED], 0);
	assert_string_equal(view(l).title, "odd");
}

static bool paused(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->state == NODE_PAUSED;
}

static void test_a_paused_node_rests_until_it_is_resumed(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	MUST(store_node_pause(l->store, NULL, NODE, true, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_int_equal(view(l).state, NODE_PAUSED); /* shown with the very next look */
	AWAIT(paused);
	put_at_local(l, "meanwhile");
	scheduler_ask(l->scheduler, NODE);
	poll(NULL, 0, 100);
	assert_int_equal(view(l).node.sync.digest.count, 0);
	MUST(store_node_pause(l->store, NULL, NODE, false, &l->why));
	scheduler_changed(l->scheduler, NODE);
	AWAIT(holds_one);
}

static void count_glance(void *ctx, const struct node_glance *g)
{
	(void)g;
	++*(unsigned *)ctx;
}

static void test_a_removed_node_is_gone_and_continues_when_added_again(void **state)
{
	struct lab *l = *state;
	struct node_view v;
	unsigned n = 0;
	put_at_local(l, "kept");
	add_and_settle(l);
	MUST(store_node_remove(l->store, NULL, NODE, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_false(scheduler_view(l->scheduler, NODE, &v, NULL));
	scheduler_each(l->scheduler, count_glance, &n);
	assert_int_equal(n, 0);
	scheduler_ask(l->scheduler, NODE); /* of nobody: harmless */
	add(l, server_url(l->server));
	AWAIT(holds_one);
}

/* The node is added again when the worker has just read that it was removed. */
static void test_a_node_added_again_at_once_is_not_forgotten(void **state)
{
	struct lab *l = *state;
	put_at_local(l, "kept");
	add_and_settle(l);
	overtaken.in_worker = true;
	MUST(store_node_remove(l->store, NULL, NODE, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_true(EVENTUALLY(PATIENCE_MS, !overtaken.in_worker));
	put_at_local(l, "later");
	assert_true(is_shown(l));
	AWAIT(holds_two);
}

/* Two operators at once: what the store says in the end holds, whoever tells the scheduler last. */
static void test_a_late_word_of_a_removal_does_not_hide_the_node(void **state)
{
	struct lab *l = *state;
	put_at_local(l, "kept");
	add_and_settle(l);
	overtaken.in_test = true;
	MUST(store_node_remove(l->store, NULL, NODE, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_false(overtaken.in_test);
	assert_true(is_shown(l));
	AWAIT(holds_one);
}

static void apply_full(void *ctx, struct http_request *q, struct http_reply *r)
{
	(void)ctx;
	(void)q;
	arrived++;
	http_problem(r, "disk_full", "%s", "no room");
}

static bool holds_both_ends(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->node.sync.digest.count == 3;
}

/* Whatever is wrong with a push, what is new at the local is pulled. */
static void test_a_push_that_fails_does_not_stop_the_pull(void **state)
{
	struct lab *l = *state;
	for (size_t i = 0; i < l->router.n; i++)
		if (l->routes[i].handler == apply_counted)
			l->routes[i].handler = apply_full;
	add_and_settle(l);
	put_at_centre(l, "from-the-centre");
	put_at_local(l, "first");
	put_at_local(l, "second");
	AWAIT(holds_both_ends);
	poll(NULL, 0, 500);
	assert_in_range(arrived, 4, 12); /* and neither is tried over and over */
}

/* The time that the last request of the centre was given, and which it was. */
static struct {
	_Atomic int64_t timeout_ms;
	_Atomic unsigned n;
} counts;

void __real_transfer_start_soon(struct transfer *t, struct transfer_call *call);
void __wrap_transfer_start_soon(struct transfer *t, struct transfer_call *call);
void __wrap_transfer_start_soon(struct transfer *t, struct transfer_call *call)
{
	if (strstr(call->url.at, "recount=1")) {
		counts.timeout_ms = call->timeout_ms;
		counts.n++;
	}
	__real_transfer_start_soon(t, call);
}

/* All rows of a large local on a slow disk: the same time again and again would never be enough. */
static void test_a_count_is_given_more_time_each_time(void **state)
{
	struct lab *l = *state;
	add_and_settle(l);
	struct node n = view(l).node;
	struct sync_change count = {.to = n.sync};
	unavailable = true;
	counts.n = 0;
	count.to.recount = true;
	MUST(store_move_node(l->store, NODE, &n.sync, &count, NULL, &l->why));
	scheduler_changed(l->scheduler, NODE);
	scheduler_ask(l->scheduler, NODE); /* a pull that was just to be parked may have failed, and wait */
	int64_t most = 0, until_us = clock_mono_us() + PATIENCE_MS * 1000;
	for (unsigned seen = 0; most < 80000 && clock_mono_us() < until_us; poll(NULL, 0, 1)) {
		if (counts.n == seen)
			continue;
		most = counts.timeout_ms;
		seen = counts.n;
		scheduler_ask(l->scheduler, NODE);
	}
	assert_in_range(most, 80000, 700000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEDULER_TEST(test_news_of_either_end_travel_at_once),
		SCHEDULER_TEST(test_many_edits_in_a_row_all_arrive_with_few_interruptions),
		SCHEDULER_TEST(test_a_question_and_a_new_url_do_not_wait_for_the_backoff),
		SCHEDULER_TEST(test_a_question_interrupts_a_parked_pull),
		SCHEDULER_TEST(test_another_title_leaves_the_parked_pull_alone),
		SCHEDULER_TEST(test_a_paused_node_rests_until_it_is_resumed),
		SCHEDULER_TEST(test_a_removed_node_is_gone_and_continues_when_added_again),
		SCHEDULER_TEST(test_a_node_added_again_at_once_is_not_forgotten),
		SCHEDULER_TEST(test_a_late_word_of_a_removal_does_not_hide_the_node),
		SCHEDULER_TEST(test_a_push_that_fails_does_not_stop_the_pull),
		SCHEDULER_TEST(test_a_count_is_given_more_time_each_time),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
