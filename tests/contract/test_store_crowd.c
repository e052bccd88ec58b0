/* A store and the small pages of many nodes in one transaction: each comes out as if it had been alone. */
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CROWD 40

struct crowd {
	struct far *at[CROWD]; /* the first is the stage's own */
	struct node nodes[CROWD];
	struct page pages[CROWD];
	struct pull_apply applies[CROWD];
};

static struct crowd *crowd_open(struct stage *g, struct far *f)
{
	struct crowd *c = arena_alloc(&g->arena, sizeof(*c));
	char name[16];

	c->at[0] = f;
	for (unsigned i = 1; i < CROWD; i++) {
		c->at[i] = arena_alloc(&g->arena, sizeof(struct far));
		snprintf(name, sizeof(name), "crowd-%02u", i);
		far_open(c->at[i], name, &g->arena);
		stage_meet(g, c->at[i]);
	}
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(stage_settle(g, c->at[i]), PROOF_EQUAL);
	return c;
}

/* As the exchanges would be begun: what changes afterwards is news to them. */
static void crowd_ask(struct stage *g, struct crowd *c)
{
	for (unsigned i = 0; i < CROWD; i++) {
		c->nodes[i] = stage_node(g, c->at[i]->name);
		far_page(c->at[i], c->nodes[i].sync.cursor, 1000, &c->pages[i]);
		c->applies[i] = (struct pull_apply){
			.node = c->at[i]->name, .basis = &c->nodes[i].sync, .page = &c->pages[i]};
	}
}

static void crowd_apply(struct stage *g, struct crowd *c)
{
	if (store_apply_pages(g->store, c->applies, CROWD, &g->why) != OK)
		fail_msg("%s", g->why.text);
}

static void assert_all_equal(struct stage *g, struct crowd *c)
{
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(stage_settle(g, c->at[i]), PROOF_EQUAL);
		assert_true(digest_equal(stage_node(g, c->at[i]->name).sync.digest, far_digest(c->at[i])));
	}
}

STAGE_TEST(each_brings_one_record)
{
	struct crowd *c = crowd_open(g, f);

	for (unsigned round = 1; round <= 3; round++) { /* new, changed, new and changed */
		for (unsigned i = 0; i < CROWD; i++)
			far_put(c->at[i], round == 3 && i % 2 ? "b" : "a", round == 1 ? "1" : "[2]");
		crowd_ask(g, c);
		crowd_apply(g, c);
		for (unsigned i = 0; i < CROWD; i++) {
			assert_int_equal(c->applies[i].result, OK);
			assert_int_equal(c->applies[i].taken, 1);
			assert_int_equal(c->applies[i].proof, PROOF_EQUAL);
			assert_int_equal(c->applies[i].sync.cursor, round);
			assert_int_equal(stage_node(g, c->at[i]->name).sync.cursor, round);
			assert_string_equal(stage_body(g, c->at[i]->name, "a"), round == 1 ? "1" : "[2]");
		}
	}
	assert_int_equal(stage_events(g, "pulled"), 3 * CROWD);
	assert_all_equal(g, c);
}

/* By hand, as it must not be: the position is moved where the row stood when it was read, or everything begins again. */
STAGE_TEST(a_row_that_moves_meanwhile_is_read_again)
{
	struct crowd *c;

	if (g->kind != STAGE_POSTGRES)
		return;
	c = crowd_open(g, f);
	backstage_run(g, "CREATE SEQUENCE attempts");
	backstage_run(g, "CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
			 "IF nextval('tidemark_store.attempts') = 1 THEN "
			 "UPDATE tidemark_store.nodes SET title = 'by hand' WHERE name = 'crowd-07'; "
			 "END IF; RETURN NULL; END $$");
	backstage_run(g, "CREATE TRIGGER move AFTER INSERT ON records EXECUTE FUNCTION move()");
	for (unsigned i = 0; i < CROWD; i++)
		far_put(c->at[i], "a", "1");
	crowd_ask(g, c);
	crowd_apply(g, c);
	assert_string_equal(backstage_ask(g, "SELECT last_value FROM attempts"), "2");
	assert_string_equal(
		backstage_ask(g, "SELECT count(*) FROM nodes WHERE cursor = 1 AND title = ''"), "40");
	assert_all_equal(g, c);
}

/* Their numbers rise, none is given twice, and the next one given is higher. */
STAGE_TEST(their_events_are_numbered_as_one_after_the_other)
{
	struct crowd *c = crowd_open(g, f);
	const char *numbers = "SELECT count(DISTINCT event) || ' ' || (max(event) - min(event)) FROM "
			      "(SELECT event FROM events WHERE kind = 'pulled') AS e";
	const char *told =
		"SELECT count(*) FROM events AS e JOIN nodes AS n ON n.name = e.node "
		"WHERE e.kind = 'pulled' AND e.text = 'pulled 1 record, now at seq 1' AND e.level = 2";
	char expected[32];

	if (g->kind == STAGE_MEMORY)
		return;
	for (unsigned i = 0; i < CROWD; i++)
		far_put(c->at[i], "a", "1");
	crowd_ask(g, c);
	crowd_apply(g, c);
	if (g->kind == STAGE_FILE)
		store_close(g->store);
	snprintf(expected, sizeof(expected), "%d %d", CROWD, CROWD - 1);
	assert_string_equal(backstage_ask(g, numbers), expected);
	snprintf(expected, sizeof(expected), "%d", CROWD);
	assert_string_equal(backstage_ask(g, told), expected);
	if (g->kind == STAGE_FILE) {
		struct store_config config = {.url = g->url};

		assert_int_equal(store_open(&g->store, &config, &g->why), OK);
	}
	far_put(f, "b", "1");
	assert_int_equal(stage_pull(g, f, 10, NULL), OK);
	assert_int_equal(stage_events(g, "pulled"), CROWD + 1);
}

/* Whose page is what. */
enum {
	IDLE,
	DISPUTED,
	EDITED,
	READ_AGAIN_MORE,
	READ_AGAIN,
	OVERTAKEN,
	PAUSED,
	LARGE,
	TWICE,
	DELETED,
	WITH_VECTOR
};

static void change_each(struct stage *g, struct crowd *c)
{
	far_put(c->at[DISPUTED], "a", "2");
	stage_put(g, c->at[DISPUTED]->name, "a", "\"centre\"");
	far_put(c->at[EDITED], "b", "1");
	stage_put(g, c->at[EDITED]->name, "a", "\"centre\"");
	far_put(c->at[READ_AGAIN_MORE], "a", "2");
	far_put(c->at[READ_AGAIN_MORE], "b", "2");
	stage_reset(g, c->at[READ_AGAIN_MORE]);
	stage_reset(g, c->at[READ_AGAIN]);
	far_put(c->at[OVERTAKEN], "b", "1");
	far_put(c->at[PAUSED], "b", "1");
	far_put_many(c->at[LARGE], 300);
	far_put(c->at[TWICE], "b", "1");
	far_delete(c->at[DELETED], "a");
	far_restart(c->at[WITH_VECTOR]);
	far_put(c->at[WITH_VECTOR], "a", "2");
}

/* What no local does: one record in two lines. */
static void say_twice(struct crowd *c, struct record records[2])
{
	struct page *page = &c->pages[TWICE];

	records[0] = page->records[0];
	far_put(c->at[TWICE], "b", "2");
	far_page(c->at[TWICE], 1, 10, page);
	records[1] = page->records[0];
	page->records = records;
	page->n = 2;
}

static void assert_each(struct stage *g, struct crowd *c)
{
	const struct pull_apply *p = c->applies;

	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(p[i].result, i == OVERTAKEN || i == PAUSED ? CONFLICT : OK);
	assert_int_equal(p[IDLE].taken, 0);
	assert_int_equal(p[IDLE].proof, PROOF_EQUAL);
	assert_int_equal(p[DISPUTED].conflicts, 1);
	assert_true(p[DISPUTED].to_push);
	assert_int_equal(p[EDITED].taken, 1);
	assert_true(p[EDITED].to_push);
	assert_int_equal(p[READ_AGAIN_MORE].taken, 2);
	assert_int_equal(p[READ_AGAIN].taken, 0);
	assert_int_equal(p[LARGE].taken, 300);
	assert_string_equal(stage_body(g, c->at[DISPUTED]->name, "a"), "2");
	assert_string_equal(stage_body(g, c->at[OVERTAKEN]->name, "b"), "1");
	assert_string_equal(stage_body(g, c->at[PAUSED]->name, "b"), "");
	assert_string_equal(stage_body(g, c->at[TWICE]->name, "b"), "2");
	assert_string_equal(stage_body(g, c->at[DELETED]->name, "a"), "-");
	assert_string_equal(stage_body(g, c->at[WITH_VECTOR]->name, "a"), "2");
	assert_int_equal(stage_conflicts(g, NULL), 1);
	assert_int_equal(stage_conflicts(g, c->at[DISPUTED]->name), 1);
}

STAGE_TEST(each_may_bring_something_else)
{
	struct crowd *c = crowd_open(g, f);
	struct record records[2];

	for (unsigned i = 0; i < CROWD; i++)
		far_put(c->at[i], "a", "1");
	crowd_ask(g, c);
	crowd_apply(g, c);
	change_each(g, c);
	crowd_ask(g, c);
	say_twice(c, records);
	assert_int_equal(stage_pull(g, c->at[OVERTAKEN], 10, NULL), OK);
	assert_int_equal(store_node_pause(g->store, NULL, c->at[PAUSED]->name, true, &g->why), OK);
	crowd_apply(g, c);
	assert_each(g, c);
	assert_int_equal(store_node_pause(g->store, NULL, c->at[PAUSED]->name, false, &g->why), OK);
	assert_all_equal(g, c);
}

/* An idle poll of all writes nothing. */
STAGE_TEST(nothing_new_writes_nothing)
{
	struct crowd *c = crowd_open(g, f);
	struct hash before;

	for (unsigned i = 0; i < CROWD; i++)
		far_put(c->at[i], "a", "1");
	crowd_ask(g, c);
	crowd_apply(g, c);
	crowd_ask(g, c);
	before = backstage_mark(g);
	crowd_apply(g, c);
	assert_true(hash_equal(backstage_mark(g), before));
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(c->applies[i].proof, PROOF_EQUAL);
}

/* What the database refuses of one node undoes the others', who are to be tried without it. */
STAGE_TEST(one_that_is_refused_undoes_all)
{
	struct crowd *c = crowd_open(g, f);

	if (g->kind == STAGE_MEMORY)
		return;
	for (unsigned i = 0; i < CROWD; i++)
		far_put(c->at[i], "a", i == 7 ? "\"poison\"" : "1");
	backstage_forbid(
		g, g->kind == STAGE_POSTGRES ? "body::text LIKE '%poison%'" : "body LIKE '%poison%'");
	crowd_ask(g, c);
	assert_int_equal(store_apply_pages(g->store, c->applies, CROWD, &g->why), INVALID);
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(stage_node(g, c->at[i]->name).sync.digest.count, 0);
	c->applies[7] = c->applies[CROWD - 1];
	assert_int_equal(store_apply_pages(g->store, c->applies, CROWD - 1, &g->why), OK);
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(stage_node(g, c->at[i]->name).sync.digest.count, i != 7);
	backstage_allow(g);
	assert_all_equal(g, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_brings_one_record),
		cmocka_unit_test(a_row_that_moves_meanwhile_is_read_again),
		cmocka_unit_test(their_events_are_numbered_as_one_after_the_other),
		cmocka_unit_test(each_may_bring_something_else),
		cmocka_unit_test(nothing_new_writes_nothing),
		cmocka_unit_test(one_that_is_refused_undoes_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
