/* What was proven equal is proven again without looking at a row, and never once anything of the node may have changed. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A page that brings nothing, at the end of the far log, as the answer to a request that was made for `basis`. */
static struct pull_apply idle_page(struct stage *g, struct far *f, const struct node_sync *basis)
{
	static struct page page;
	struct pull_apply p = {.node = f->name, .basis = basis, .page = &page};

	far_page(f, basis->cursor, 10, &page);
	assert_int_equal(page.n, 0);
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	return p;
}

/* In step, with a proof that can be made again. */
static struct node_sync in_step(struct stage *g, struct far *f)
{
	struct node n;
	struct pull_apply p;

	far_put_many(f, 4);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	n = stage_node(g, f->name);
	assert_int_equal(n.sync.proven, 0); /* as read, it says nothing of this */
	p = idle_page(g, f, &n.sync);
	assert_int_equal(p.result, OK);
	assert_int_equal(p.proof, PROOF_EQUAL);
	assert_int_not_equal(p.sync.proven, 0);
	return p.sync;
}

STAGE_TEST(an_idle_page_is_proven_again_and_again)
{
	struct node_sync first = in_step(g, f), again = first;

	for (int i = 0; i < 3; i++) {
		struct pull_apply p = idle_page(g, f, &again);

		assert_int_equal(p.result, OK);
		assert_int_equal(p.proof, PROOF_EQUAL);
		assert_false(p.to_push);
		again = p.sync;
		assert_int_equal(again.proven, first.proven);
		assert_true(digest_equal(again.digest, first.digest));
	}
}

/* The rows themselves are not looked at: what nobody could do by way of the store is not seen until they are counted. */
STAGE_TEST(it_is_proven_from_memory)
{
	struct node_sync s = in_step(g, f);
	struct pull_apply p;

	if (g->kind != STAGE_POSTGRES) /* SQLite tells of every writer */
		return;
	backstage_run(g, "UPDATE nodes SET digest_count = 0");
	p = idle_page(g, f, &s);
	assert_int_equal(p.proof, PROOF_EQUAL);
	s.proven = 0;
	p = idle_page(g, f, &s);
	assert_int_equal(p.proof, PROOF_DOUBTED);
}

static void put(struct stage *g, struct far *f)
{
	struct draft d = {span_of(f->name), span_of("r0001"), span_of("t"), span_of("3")};
	struct written w;

	assert_int_equal(store_put(g->store, NULL, &d, 1, NULL, &w, &g->why), OK);
}

static void erase(struct stage *g, struct far *f)
{
	struct written w;

	assert_int_equal(
		store_delete(g->store, NULL, span_of(f->name), span_of("r0002"), NULL, &w, &g->why), OK);
}

static void want_count(struct stage *g, struct far *f)
{
	struct node n = stage_node(g, f->name);
	struct sync_change c = {.to = n.sync};

	c.to.recount = true;
	assert_int_equal(store_move_node(g->store, f->name, &n.sync, &c, NULL, &g->why), OK);
}

static void pause_node(struct stage *g, struct far *f)
{
	assert_int_equal(store_node_pause(g->store, NULL, f->name, true, &g->why), OK);
}

static void remove_node(struct stage *g, struct far *f)
{
	assert_int_equal(store_node_remove(g->store, NULL, f->name, &g->why), OK);
}

static void replace_content(struct stage *g, struct far *f)
{
	(void)f;
	if (g->kind == STAGE_MEMORY)
		put(g, f);
	else
		backstage_replace(g);
}

/* A dump that is read back beneath sessions which go on. */
static void replace_beneath_sessions(struct stage *g, struct far *f)
{
	if (g->kind == STAGE_POSTGRES)
		backstage_run(g, "UPDATE opening SET token = token");
	else /* SQLite's go on above, too */
		put(g, f);
}

static void open_again(struct stage *g, struct far *f)
{
	put(g, f);
	if (g->kind != STAGE_MEMORY)
		stage_reopen(g);
}

STAGE_TEST(whatever_may_have_changed_it_ends_the_proof)
{
	static void (*const changes[])(struct stage *, struct far *) = {put, erase, want_count, pause_node,
		remove_node, replace_content, replace_beneath_sessions, open_again};

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		static struct far other;
		char name[] = "site-0";
		struct node_sync s;
		struct pull_apply p;

		name[5] = (char)('0' + i);
		far_open(&other, name, &g->arena);
		stage_meet(g, &other);
		s = in_step(g, &other);
		changes[i](g, &other);
		p = idle_page(g, &other, &s);
		if (p.result == OK && p.proof == PROOF_EQUAL)
			fail_msg("change %zu: it counts as equal still", i);
	}
	(void)f;
}

/* An edit of another owner's records leaves the proof as it is, where the two do not share a mark by chance. */
STAGE_TEST(others_do_not_touch_it)
{
	static struct far other;
	struct node_sync s = in_step(g, f);
	struct pull_apply p;

	far_open(&other, "site-b", &g->arena);
	stage_meet(g, &other);
	(void)in_step(g, &other);
	put(g, &other);
	p = idle_page(g, f, &s);
	assert_int_equal(p.proof, PROOF_EQUAL);
	assert_int_equal(p.sync.proven, s.proven);
}

/* Equal before says nothing of an answer that is not the same. */
STAGE_TEST(another_answer_is_looked_at)
{
	struct node_sync s = in_step(g, f);
	struct page page;
	struct pull_apply p = {.node = f->name, .basis = &s, .page = &page};

	far_page(f, s.cursor, 10, &page);
	page.end.digest.lane[0]++;
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.proof, PROOF_DOUBTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_page_is_proven_again_and_again),
		cmocka_unit_test(it_is_proven_from_memory),
		cmocka_unit_test(whatever_may_have_changed_it_ends_the_proof),
		cmocka_unit_test(others_do_not_touch_it),
		cmocka_unit_test(another_answer_is_looked_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
