/* What is in quarantine is tried again by itself, a few at a time, and taken once the store takes it. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/eventually.h"

#include "central/retry.h"
#include "central/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_MS 8000

static void quarantine(struct stage *g, struct far *f, unsigned n)
{
	char id[16];

	backstage_forbid(
		g, g->kind == STAGE_POSTGRES ? "body::text LIKE '%poison%'" : "body LIKE '%poison%'");
	for (unsigned i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "p%04u", i);
		far_put(f, id, "\"poison\"");
	}
	far_put(f, "good", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_node(g, "site-a").sync.quarantined, n);
}

static unsigned taken;

static void count_taken(void *ctx, const char *owner)
{
	assert_ptr_equal(ctx, &taken);
	assert_string_equal(owner, "site-a");
	taken++;
}

static unsigned attempts(struct stage *g)
{
	struct buf b = {0};
	unsigned n = 0;

	assert_int_equal(store_quarantine(g->store, NULL, 0, 1000, &b, &g->why), OK);
	for (const char *at = b.at; (at = strstr(at, "\"attempts\":")) != NULL; at++)
		n += (unsigned)strtoul(at + strlen("\"attempts\":"), NULL, 10);
	buf_done(&b);
	return n;
}

STAGE_TEST(a_round_tries_a_few_and_the_next_one_goes_on)
{
	struct retry r = {0};

	quarantine(g, f, RETRY_ROUND + 4);
	taken = 0;
	retry_round(&r, g->store, count_taken, &taken);
	assert_int_equal(attempts(g), RETRY_ROUND);
	retry_round(&r, g->store, count_taken, &taken);
	assert_int_equal(attempts(g), RETRY_ROUND + 4);
	assert_int_equal(taken, 0);
	backstage_allow(g);
	retry_round(&r, g->store, count_taken, &taken); /* from the first again */
	assert_int_equal(taken, RETRY_ROUND);
	retry_round(&r, g->store, count_taken, &taken);
	assert_int_equal(taken, RETRY_ROUND + 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	retry_round(&r, g->store, count_taken, &taken);
	assert_int_equal(taken, RETRY_ROUND + 4);
}

STAGE_TEST(the_scheduler_does_it)
{
	struct networks allowed = {0};
	struct scheduler_config c = {
		.store = g->store, .allowed = &allowed, .interval_ms = 60000, .retry_interval_ms = 20};
	struct scheduler *s;

	quarantine(g, f, 3);
	assert_int_equal(scheduler_open(&s, &c, &g->why), OK);
	assert_int_equal(scheduler_start(s, &g->why), OK);
	assert_true(EVENTUALLY(PATIENCE_MS, attempts(g) > 0));
	backstage_allow(g);
	assert_true(EVENTUALLY(PATIENCE_MS, stage_node(g, "site-a").sync.quarantined == 0));
	scheduler_close(s);
	assert_string_equal(stage_body(g, "site-a", "p0000"), "\"poison\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_tries_a_few_and_the_next_one_goes_on),
		cmocka_unit_test(the_scheduler_does_it),
	};

	log_init(LOG_ERROR, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
