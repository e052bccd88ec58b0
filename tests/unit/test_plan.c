#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "central/plan.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define NOW INT64_C(1000000000)
#define E1                                         \
	{                                          \
		"11111111111111111111111111111111" \
	}
#define E2                                         \
	{                                          \
		"22222222222222222222222222222222" \
	}

static const struct {
	const char *what;
	struct node n;
	struct node_run run;
	enum plan_step step;
	int64_t delay_ms;
} rows[] = {
	{"a new node is asked at once", {.name = "a"}, {.heard = false}, PLAN_PULL, 0},
	{"more to read", {.sync.epoch = E1}, {.heard = true}, PLAN_PULL, 0},
	{"at the head: parked for an interval", {.sync.epoch = E1}, {.at_head = true}, PLAN_PULL, 2000},
	{"asked: not parked", {.sync.epoch = E1}, {.at_head = true, .asked = true}, PLAN_PULL, 0},
	{"a node that failed is not parked", {.sync.epoch = E1}, {.at_head = true, .failures = 1}, PLAN_PULL,
		0},
	{"to push, but not at the head", {.sync.epoch = E1}, {.to_push = true}, PLAN_PULL, 0},
	{"to push", {.sync.epoch = E1}, {.at_head = true, .to_push = true}, PLAN_PUSH, 0},
	{"to push, asked", {.sync.epoch = E1}, {.at_head = true, .to_push = true, .asked = true}, PLAN_PUSH,
		0},
	{"to push, and pushes failed: pulled, and parked no longer than that", {.sync.epoch = E1},
		{.at_head = true, .to_push = true, .push_failures = 1, .next_push_us = NOW + 7001}, PLAN_PULL,
		8},
	{"to push, and pushes failed for long: parked for an interval", {.sync.epoch = E1},
		{.at_head = true, .to_push = true, .push_failures = 9, .next_push_us = NOW + 60000000},
		PLAN_PULL, 2000},
	{"to push, and the wait after a failed push is over", {.sync.epoch = E1},
		{.at_head = true, .to_push = true, .push_failures = 1, .next_push_us = NOW}, PLAN_PUSH, 0},
	{"to push, and pushes failed, asked", {.sync.epoch = E1},
		{.at_head = true,
			.to_push = true,
			.asked = true,
			.push_failures = 1,
			.next_push_us = NOW + 7001},
		PLAN_PUSH, 0},
	{"to push, backing off", {.sync.epoch = E1},
		{.at_head = true, .to_push = true, .failures = 2, .next_attempt_us = NOW + 5000}, PLAN_WAIT,
		5},
	{"a pending rename goes first", {.sync = {.epoch = E1, .rename_to = E2, .probe = E2}},
		{.at_head = true, .to_push = true}, PLAN_RENAME, 0},
	{"a probe goes before push and pull", {.sync = {.epoch = E1, .probe = E2}},
		{.at_head = true, .to_push = true}, PLAN_PROBE, 0},
	{"paused", {.paused = true, .sync.epoch = E1}, {.heard = true}, PLAN_REST, 0},
	{"paused, asked", {.paused = true, .sync = {.epoch = E1, .rename_to = E2}}, {.asked = true},
		PLAN_REST, 0},
	{"paused, backing off", {.paused = true}, {.failures = 1, .next_attempt_us = NOW + 1}, PLAN_REST, 0},
	{"halted", {.sync = {.epoch = E1, .halt = HALT_DIVERGED}}, {.at_head = true, .to_push = true},
		PLAN_REST, 0},
	{"a clone, asked: its probe is kept, but rests",
		{.sync = {.epoch = E1, .probe = E2, .halt = HALT_IDENTITY}}, {.asked = true}, PLAN_REST, 0},
	{"backing off", {.sync.epoch = E1}, {.failures = 3, .next_attempt_us = NOW + 1500000}, PLAN_WAIT,
		1500},
	{"less than a millisecond is no empty turn", {.sync.epoch = E1},
		{.failures = 1, .next_attempt_us = NOW + 1}, PLAN_WAIT, 1},
	{"backing off, over", {.sync.epoch = E1}, {.failures = 3, .next_attempt_us = NOW}, PLAN_PULL, 0},
	{"backing off, asked", {.sync.epoch = E1},
		{.failures = 3, .asked = true, .next_attempt_us = NOW + 1500000}, PLAN_PULL, 0},
	{"backing off before a rename", {.sync = {.epoch = E1, .rename_to = E2}},
		{.next_attempt_us = NOW + 1000}, PLAN_WAIT, 1},
	{"a local that does not park: wait out the interval", {.sync.epoch = E1},
		{.heard = true, .at_head = true, .next_attempt_us = NOW + 1999000}, PLAN_WAIT, 1999},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct plan p = plan_next(&rows[i].n, &rows[i].run, NOW, 2000);

		if (p.step != rows[i].step || p.delay_ms != rows[i].delay_ms)
			fail_msg("%s: step %d, delay %lld", rows[i].what, (int)p.step, (long long)p.delay_ms);
	}
}

/* However long the interval, no request is held longer than the wire allows. */
static void test_park_is_bounded(void **state)
{
	struct node n = {.sync.epoch = E1};
	struct node_run run = {.heard = true, .at_head = true};

	(void)state;
	assert_int_equal(plan_next(&n, &run, NOW, 25000).delay_ms, 25000);
	assert_int_equal(plan_next(&n, &run, NOW, 300000).delay_ms, 25000);
	assert_int_equal(plan_next(&n, &run, NOW, 50).delay_ms, 50);
}

/* What a comparison found is read, as long as nothing moved since; else both ends are summed anew. */
static void test_comparison(void **state)
{
	struct node n = {.sync = {.epoch = E1, .comparing = true}};
	struct node_trouble t = {.apart.failures = 2};
	struct node_run run = {.heard = true, .at_head = true, .to_push = true, .trouble = &t};
	struct plan p = plan_next(&n, &run, NOW, 2000);

	(void)state;
	assert_int_equal(p.step, PLAN_DIGEST); /* before push and pull */
	assert_null(p.apart);
	assert_int_equal(p.failures, 2);
	t.apart.basis = n.sync;
	t.apart.what = (struct apart){.bits_known = true, .bits = 15};
	p = plan_next(&n, &run, NOW, 2000);
	assert_int_equal(p.step, PLAN_DIGEST); /* of smaller buckets */
	assert_ptr_equal(p.apart, &t.apart.what);
	t.apart.what.n = 1;
	p = plan_next(&n, &run, NOW, 2000);
	assert_int_equal(p.step, PLAN_FETCH);
	assert_ptr_equal(p.apart, &t.apart.what);
	n.sync.life++; /* an old copy of our own store was put back */
	p = plan_next(&n, &run, NOW, 2000);
	assert_int_equal(p.step, PLAN_DIGEST);
	assert_null(p.apart);
	n.sync.rename_to = (struct epoch)E2;
	assert_int_equal(plan_next(&n, &run, NOW, 2000).step, PLAN_RENAME);
	n.sync.halt = HALT_IDENTITY;
	assert_int_equal(plan_next(&n, &run, NOW, 2000).step, PLAN_REST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_park_is_bounded),
		cmocka_unit_test(test_comparison),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
