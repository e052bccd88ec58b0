/* What the scheduler tells: an event for each change of state, within bounds, and views of many while others come and go. */
#include "tests/contract/scheduled.h"
#include "tests/support/occurrences.h"

static unsigned events_of_states(struct lab *l, struct buf *out)
{
	struct event_query q = {.node = NODE, .least_level = -1, .limit = 1000};
	buf_clear(out);
	MUST(store_events(l->store, &q, out, &l->why));
	return occurrences(out->at, "\"node.state\"");
}

static void test_each_change_of_state_is_one_event(void **state)
{
	struct lab *l = *state;
	struct buf out = {0};
	add_and_settle(l);
	assert_true(EVENTUALLY(PATIENCE_MS, events_of_states(l, &out) >= 2));
	assert_int_equal(events_of_states(l, &out), 2); /* never_seen → catching_up → in_sync */
	buf_done(&out);
}

static bool offline(struct lab *l, const struct node_view *v)
{
	(void)l;
	return v->state == NODE_OFFLINE;
}

/* Shown at once, told within bounds; but that it was stopped is told at once, since nothing would come after it. */
static void test_a_node_that_is_up_and_down_all_the_time_does_not_flood_the_events(void **state)
{
	struct lab *l = *state;
	struct buf out = {0};
	add_and_settle(l);
	int64_t start_us = clock_mono_us();
	for (int i = 0; i < 12;
		i++) { /* each time its parked pull is interrupted, which is not done at once */
		unavailable = true;
		scheduler_ask(l->scheduler, NODE);
		AWAIT(offline);
		unavailable = false;
		scheduler_ask(l->scheduler, NODE);
		AWAIT(in_sync);
	}
	unsigned more = (unsigned)((clock_mono_us() - start_us) / SLOT_TELLS.every_us);
	assert_in_range(events_of_states(l, &out), SLOT_TELLS.at_once - 1, SLOT_TELLS.at_once + more);
	assert_in_range(trouble.told_states, SLOT_TELLS.at_once - 1, SLOT_TELLS.at_once + more);
	MUST(store_node_pause(l->store, NULL, NODE, true, &l->why));
	scheduler_changed(l->scheduler, NODE);
	assert_true(EVENTUALLY(PATIENCE_MS, (events_of_states(l, &out), strstr(out.at, "paused (was"))));
	assert_non_null(strstr(out.at, "times since that"));
	buf_done(&out);
}

/* --- many, looked at while others come and go --- */

#define MANY 600

struct passing {
	char last[RECORD_OWNER_MAX + 1];
	unsigned n;
};

static void pass(void *ctx, const struct node_glance *g)
{
	struct passing *p = ctx;
	if (strcmp(p->last, g->node->name) >= 0)
		fail_msg("%s after %s", g->node->name, p->last);
	memcpy(p->last, g->node->name, sizeof p->last);
	p->n += g->node->name[0] == 's';
}

/* Names before, between and behind those that stay. */
static void *come_and_go(void *ctx)
{
	static char failed[] = "a node could not be added or removed";
	static const char *const names[] = {"a", "s-0255x", "s-0300x", "z"};
	struct lab *l = ctx;
	struct reason why;
	for (int i = 0; i < 40; i++) {
		char url[64];
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%d", 30000 + i % 4);
		if (store_node_add(l->store, NULL, names[i % 4], url, "", &why) != OK)
			return failed;
		scheduler_changed(l->scheduler, names[i % 4]);
		if (store_node_remove(l->store, NULL, names[i % 4], &why) != OK)
			return failed;
		scheduler_changed(l->scheduler, names[i % 4]);
	}
	return NULL;
}

static void test_many_are_looked_at_once_each_while_others_come_and_go(void **state)
{
	struct lab *l = *state;
	pthread_t thread;
	void *failed;
	for (unsigned i = 0; i < MANY; i++) {
		char name[32], url[64];
		(void)snprintf(name, sizeof name, "s-%04u", i);
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%u", 20000 + i);
		MUST(store_node_add(l->store, NULL, name, url, "", &l->why));
		MUST(store_node_pause(l->store, NULL, name, true, &l->why));
		scheduler_changed(l->scheduler, name);
	}
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, l), 0);
	for (int i = 0; i < 50; i++) {
		struct passing p = {.n = 0};
		scheduler_each(l->scheduler, pass, &p);
		assert_in_range(p.n, MANY, MANY + 2);
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	unsigned states[NODE_STATES];
	scheduler_states(l->scheduler, states);
	assert_int_equal(states[NODE_PAUSED], MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEDULER_TEST(test_each_change_of_state_is_one_event),
		SCHEDULER_TEST(test_a_node_that_is_up_and_down_all_the_time_does_not_flood_the_events),
		SCHEDULER_TEST(test_many_are_looked_at_once_each_while_others_come_and_go),
	};
	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
