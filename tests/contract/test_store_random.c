/* A store under thousands of random operations: it converges, and its digest is the sum of its rows. */
#include "tests/support/stage.h" /* before cmocka.h, which makes fail a macro */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct play {
	struct stage *g;
	struct far local, backup;
	unsigned seed, bodies;
};

static unsigned below(struct play *p, unsigned bound)
{
	return (unsigned)rand_r(&p->seed) % bound;
}

static const char *some_id(struct play *p)
{
	static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

	return ids[below(p, 8)];
}

static const char *fresh_body(struct play *p, char text[16])
{
	snprintf(text, 16, "%u", ++p->bodies);
	return text;
}

static void local_step(struct play *p)
{
	const char *id = some_id(p);
	char body[16];

	if (below(p, 6) > 0)
		far_put(&p->local, id, fresh_body(p, body));
	else if (far_get(&p->local, id))
		far_delete(&p->local, id);
}

static void centre_step(struct play *p)
{
	const char *id = some_id(p);
	char body[16];

	if (below(p, 6) > 0)
		stage_put(p->g, "site-a", id, fresh_body(p, body));
	else if (*stage_body(p->g, "site-a", id))
		stage_delete(p->g, "site-a", id);
}

/* The rows' sum by hand, from what the store lists. */
static struct digest sum_of_rows(struct stage *g)
{
	struct record_query q = {.owner = span_of("site-a"), .deleted = true, .limit = 1000};
	struct buf b = {0};
	struct digest d = {0};

	assert_int_equal(store_records(g->store, &q, &b, &g->why), OK);
	for (const char *at = b.at; (at = strstr(at, "\"hash\":\"")) != NULL; at++) {
		struct hash h;

		assert_true(hash_parse((struct span){at + 8, 32}, &h));
		digest_add(&d, h);
	}
	buf_done(&b);
	return d;
}

static void lose(struct play *p)
{
	switch (below(p, 5)) {
	case 0:
		p->backup = p->local;
		break;
	case 1:
		if (p->backup.arena) {
			p->local = p->backup;
			far_restart(&p->local);
			stage_reset(p->g, &p->local);
		}
		break;
	case 2:
		far_wipe(&p->local);
		stage_reset(p->g, &p->local);
		break;
	case 3:
		if (p->g->kind != STAGE_MEMORY)
			stage_reopen(p->g);
		break;
	default:
		stage_reset(p->g, &p->local);
		break;
	}
}

static void step(struct play *p)
{
	unsigned what = below(p, 100);

	if (what < 35)
		local_step(p);
	else if (what < 55)
		centre_step(p);
	else if (what < 78)
		assert_int_equal(stage_pull(p->g, &p->local, 1 + below(p, 4), NULL), OK);
	else if (what < 98)
		assert_int_equal(stage_push(p->g, &p->local, 1 + below(p, 3), NULL), OK);
	else
		lose(p);
}

static void check_equal(struct play *p)
{
	struct node n;

	assert_int_equal(stage_settle(p->g, &p->local), PROOF_EQUAL);
	n = stage_node(p->g, "site-a");
	assert_true(digest_equal(n.sync.digest, sum_of_rows(p->g)));
	assert_true(digest_equal(n.sync.digest, far_digest(&p->local)));
	assert_int_equal(n.sync.halt, HALT_NONE);
}

static void play_rounds(struct stage *g, unsigned seed, unsigned rounds)
{
	struct play *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->g = g;
	p->seed = seed;
	far_open(&p->local, "site-a", &g->arena);
	stage_meet(g, &p->local);
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < 60; k++) {
			step(p);
			if (k % 20 == 0)
				assert_true(
					digest_equal(stage_node(g, "site-a").sync.digest, sum_of_rows(g)));
		}
		check_equal(p);
	}
	free(p);
}

static void random_operations_converge(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		enum stage_kind kind = seed % 3 ? STAGE_MEMORY : seed % 2 ? STAGE_FILE : STAGE_POSTGRES;
		struct stage *g = stage_open(kind, seed % 2 ? POLICY_OWNER : POLICY_CENTRE);

		play_rounds(g, seed, 8);
		stage_close(g);
	}
}

/* --- threads --- */

#define THREAD_PUTS 15

struct crowd {
	struct stage *g;
	unsigned which;
};

static void *work(void *ctx)
{
	struct crowd *c = ctx;
	struct reason why;

	for (unsigned i = 0; i < THREAD_PUTS; i++) {
		char id[16];
		struct draft d = {span_of("site-a"), {0}, span_of("t"), span_of("1")};
		struct buf out = {0};
		struct record_query q = {.limit = 100};
		struct written w;
		struct nodes ns;

		snprintf(id, sizeof(id), "%u-%u", c->which, i);
		d.id = span_of(id);
		assert_int_equal(store_put(c->g->store, NULL, &d, 1, NULL, &w, &why), OK);
		assert_int_equal(store_records(c->g->store, &q, &out, &why), OK);
		assert_int_equal(store_nodes(c->g->store, &ns, &why), OK);
		nodes_done(&ns);
		buf_done(&out);
	}
	return NULL;
}

/* More threads than readers. */
STAGE_TEST(many_threads_share_a_store)
{
	struct crowd crowd[8];
	pthread_t threads[8];

	for (unsigned i = 0; i < 8; i++) {
		crowd[i] = (struct crowd){.g = g, .which = i};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 8 * THREAD_PUTS);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(f->n, 8 * THREAD_PUTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_converge),
		cmocka_unit_test(many_threads_share_a_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
