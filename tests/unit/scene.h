/*
 * scene - a node, what a run remembers of it, and an exchange with its answer and outcome, for the tests of exchange_note(); with the
 * plan that follows.
 */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "central/exchange.h"
#include "shared/backoff.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define NOW INT64_C(5000000000)
#define INTERVAL_MS 1000
#define CALM_MS 1000

static const struct epoch e1 = {"11111111111111111111111111111111"};
static const struct epoch e2 = {"22222222222222222222222222222222"};

struct scene {
	struct node n;
	struct node_run run;
	struct exchange x;
	struct answer a;
	struct outcome out;
};

static inline void scene_done(struct scene *s)
{
	node_run_done(&s->run);
}

/* In its test; where a run goes from one scene to another, the test frees the last one itself. */
#define SCENE __attribute__((cleanup(scene_done))) struct scene

static inline struct node_sync at(uint64_t cursor)
{
	return (struct node_sync){.epoch = e1, .cursor = cursor, .witness = {.seq = cursor}, .generation = 1};
}

/* A page that ended at the head, without news, in answer to a parked request. */
static inline struct scene idle_pull(int64_t took_us)
{
	struct scene s = {
		.n = {.name = "a", .sync = at(9)},
		.run = {.heard = true, .at_head = true, .asked = true, .oldest_us = -1},
		.x = {.kind = PLAN_PULL, .node = "a", .basis = at(9), .parked_ms = INTERVAL_MS},
		.a = {.status = 200,
			.took_us = took_us,
			.t_sent_us = 1000000,
			.t_done_us = 1000000 + took_us},
		.out = {.sync = at(9),
			.sync_known = true,
			.pulled = true,
			.at_head = true,
			.proof = PROOF_EQUAL},
	};
	s.out.end = (struct page_end){.to = {.seq = 9},
		.head_seq = 9,
		.oldest_after_us = -1,
		.clock_error_us = 50,
		.digest = {.count = 4}};
	s.out.end.t_recv_us = 1000100;
	s.out.end.t_send_us = 1000100 + took_us - 200;
	return s;
}

static inline void note(struct scene *s)
{
	exchange_note(&s->n, &s->run, &s->x, &s->a, &s->out, NOW, INTERVAL_MS);
}

static inline int64_t delay_ms(const struct scene *s, enum plan_step step)
{
	struct plan p = plan_next(&s->n, &s->run, NOW, INTERVAL_MS);

	assert_int_equal(p.step, step);
	return p.delay_ms;
}

#endif
