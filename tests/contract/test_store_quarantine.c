/* A store that refuses single records: the others go on, the proof holds, and nothing of them is lost. */
#include "central/store_sql_private.h"
#include "tests/support/backstage.h" /* before cmocka.h, which makes fail a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *poison(const struct stage *g)
{
	return g->kind == STAGE_POSTGRES ? "body::text LIKE '%poison%'" : "body LIKE '%poison%'";
}

/* How many records were tried, one by one or together (--wrap). */
static size_t met;

void __real_store_meet(struct meeting *m, const struct record *l);
void __wrap_store_meet(struct meeting *m, const struct record *l);
void __wrap_store_meet(struct meeting *m, const struct record *l)
{
	met++;
	__real_store_meet(m, l);
}

void __real_store_bulk_meet(struct meeting *m, const struct page *p, bool *ret_any_present);
void __wrap_store_bulk_meet(struct meeting *m, const struct page *p, bool *ret_any_present);
void __wrap_store_bulk_meet(struct meeting *m, const struct page *p, bool *ret_any_present)
{
	met += p->n;
	__real_store_bulk_meet(m, p, ret_any_present);
}

static uint64_t count(struct stage *g, const char *owner)
{
	uint64_t n = 99;

	assert_int_equal(store_quarantine_count(g->store, owner, &n, &g->why), OK);
	assert_int_equal(n, stage_node(g, "site-a").sync.quarantined);
	return n;
}

static uint64_t first_entry(struct stage *g)
{
	uint64_t id = 0;

	assert_int_equal(store_quarantine_next(g->store, &id, &g->why), OK);
	return id;
}

static enum err retry(struct stage *g, uint64_t id)
{
	char owner[RECORD_OWNER_MAX + 1] = "";
	enum err e = store_quarantine_retry(g->store, NULL, id, owner, &g->why);

	if (e != GONE)
		assert_string_equal(owner, "site-a");
	return e;
}

static enum err drop(struct stage *g, uint64_t id)
{
	char owner[RECORD_OWNER_MAX + 1] = "";

	return store_quarantine_drop(g->store, NULL, id, owner, &g->why);
}

STAGE_TEST(one_refused_record_does_not_hold_up_the_others)
{
	struct pull_apply p;

	backstage_forbid(g, poison(g));
	far_put_many(f, 99);
	far_put(f, "r0050", "\"poison\"");
	far_put(f, "s", "\"after\"");
	assert_int_equal(stage_pull(g, f, 1000, &p), OK);
	assert_int_equal(p.taken, 99);
	assert_int_equal(p.quarantine.in, 1);
	assert_string_equal(p.quarantine.first, "r0050");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_int_equal(count(g, NULL), 1);
	assert_string_equal(stage_body(g, "site-a", "r0050"), "");
	assert_string_equal(stage_body(g, "site-a", "s"), "\"after\"");
	assert_int_equal(stage_node(g, "site-a").sync.digest.count, 99);
	assert_int_equal(stage_events(g, "quarantined"), 1);
	assert_true(stage_quarantines(g, "\\\"body\\\":\\\"poison\\\""));
	assert_true(stage_quarantines(g, "forbid"));
	assert_true(stage_quarantines(g, "\"held\":true"));
}

STAGE_TEST(among_records_that_are_there_already)
{
	far_put_many(f, 64);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_forbid(g, poison(g));
	far_put_many(f, 64);
	far_put(f, "r0000", "\"poison\"");
	far_put(f, "r0033", "\"poison too\"");
	far_put(f, "r0063", "\"poison as well\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 3);
	assert_string_equal(stage_body(g, "site-a", "r0033"), "{\"v\":1}");
	far_put(f, "r0001", "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(alone_in_its_page_it_is_put_aside_too)
{
	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
}

STAGE_TEST(another_version_of_the_local_releases_it)
{
	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_put(f, "r0000", "\"poison again\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_true(stage_quarantines(g, "poison again"));
	far_put(f, "r0000", "\"cure\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 0);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"cure\"");
	assert_int_equal(stage_events(g, "released"), 2);
}

STAGE_TEST(tried_again_it_is_refused_or_taken)
{
	uint64_t id;

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	id = first_entry(g);
	assert_int_equal(retry(g, id), INVALID);
	assert_non_null(strstr(g->why.text, "forbidden"));
	assert_true(stage_quarantines(g, "\"attempts\":1"));
	backstage_allow(g);
	assert_int_equal(retry(g, id), OK);
	assert_int_equal(count(g, "site-a"), 0);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(retry(g, id), GONE);
	assert_int_equal(drop(g, id), GONE);
}

/* Which of the two is to be is for people to say: the local's version is newer, and only the local has it. */
STAGE_TEST(the_centres_version_is_not_pushed_over_it)
{
	struct push_apply p;

	far_put(f, "r0000", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	stage_put(g, "site-a", "r0000", "\"edit\"");
	stage_put(g, "site-a", "r0001", "\"pushed\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0000")->body, "\"poison\""));
	assert_true(span_is(far_get(f, "r0001")->body, "\"pushed\""));
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.applied + p.already + p.refused, 0);
	backstage_allow(g);
	assert_int_equal(retry(g, first_entry(g)), OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"poison\"");
	assert_int_equal(stage_conflicts(g, "site-a"), 1);
}

/* The only copy of a version may be the one in quarantine. */
STAGE_TEST(what_a_wiped_local_had_is_kept_and_given_back)
{
	uint64_t id;

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	far_put(f, "r0001", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	id = first_entry(g);
	assert_int_equal(drop(g, id), CONFLICT);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_true(stage_quarantines(g, "\"held\":false"));
	backstage_allow(g);
	assert_int_equal(retry(g, id), OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0000")->body, "\"poison\""));
}

/* What it holds it will bring again, should it ever come back; until then nobody could mend it there. */
STAGE_TEST(of_a_removed_node_it_can_be_dropped)
{
	char url[512];

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	far_put(f, "r0001", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(drop(g, first_entry(g)), CONFLICT);
	memcpy(url, stage_row(g, "site-a").url, sizeof(url));
	assert_int_equal(store_node_remove(g->store, NULL, "site-a", &g->why), OK);
	assert_int_equal(drop(g, first_entry(g)), OK);
	assert_int_equal(store_node_add(g->store, NULL, "site-a", url, "", &g->why), OK);
	assert_int_equal(count(g, "site-a"), 0);
	assert_int_equal(stage_settle(g, f), PROOF_DOUBTED);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
}

/* The sweep gave the local the version before, and its place says so; what is released follows that. */
STAGE_TEST(released_over_what_a_refill_sent_it_makes_no_conflict)
{
	far_put(f, "r0000", "1");
	far_put(f, "r0001", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_wipe(f);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0000")->body, "1"));
	backstage_allow(g);
	assert_int_equal(retry(g, first_entry(g)), OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_true(span_is(far_get(f, "r0000")->body, "\"poison\""));
	assert_int_equal(stage_conflicts(g, "site-a"), 0);
}

STAGE_TEST(what_nobody_holds_can_be_dropped)
{
	uint64_t id;

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	id = first_entry(g);
	far_wipe(f);
	stage_reset(g, f);
	far_put(f, "r0000", "1"); /* by another writer, who knows nothing of it */
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_int_equal(drop(g, id), OK);
	assert_int_equal(count(g, "site-a"), 0);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* As if somebody had deleted a row behind the local's back: what is written then knows nothing of it. */
STAGE_TEST(a_version_that_the_next_one_does_not_know_is_kept)
{
	uint64_t id;

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	id = first_entry(g);
	f->n--;
	far_restart(f);
	far_put(f, "r0000", "\"poison once more\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 2);
	f->n--;
	far_restart(f);
	far_put(f, "r0000", "\"cure\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 2);
	assert_false(stage_quarantines(g, "\"held\":true"));
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"cure\"");
	assert_int_equal(drop(g, id), OK);
	backstage_allow(g);
	assert_int_equal(retry(g, first_entry(g)), OK);
	assert_int_equal(count(g, "site-a"), 0);
	assert_int_equal(stage_conflicts(g, "site-a"), 1);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/*
 * The local holds what a centre made of its version and one of its own, and this one, put back to a copy from before
 * that, has the local's in quarantine.  Whether it won or lost, the archive of that day is gone.
 */
STAGE_TEST(a_version_that_was_merged_by_a_centre_since_restored_is_kept)
{
	struct vector vv = {.n = 2};
	struct record merged;

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	merged = *far_get(f, "r0000");
	vv.at[0] = merged.dot;
	vv.at[1] = merged.dot = (struct dot){actor_new(true), 1};
	if (vv.at[0].actor > vv.at[1].actor) {
		vv.at[1] = vv.at[0];
		vv.at[0] = merged.dot;
	}
	merged.vv = &vv;
	merged.body = span_of("\"the centre's\"");
	merged.hash = record_hash(&merged);
	far_hold(f, &merged);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"the centre's\"");
	assert_int_equal(count(g, "site-a"), 1);
	backstage_allow(g);
	assert_int_equal(retry(g, first_entry(g)), OK);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"the centre's\"");
	assert_int_equal(stage_conflicts(g, "site-a"), 1);
}

STAGE_TEST(read_again_after_a_reset_it_is_the_same_entry)
{
	uint64_t id;

	backstage_forbid(g, poison(g));
	far_put_many(f, 20);
	far_put(f, "r0007", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	id = first_entry(g);
	stage_reset(g, f);
	assert_true(stage_quarantines(g, "\"held\":false"));
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(first_entry(g), id);
	assert_int_equal(count(g, "site-a"), 1);
	assert_true(stage_quarantines(g, "\"held\":true"));
	backstage_allow(g);
	stage_reset(g, f);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 0);
}

/* A page all of which is refused: somebody has broken the table, and the records are well. */
STAGE_TEST(a_whole_page_is_no_quarantine)
{
	struct hash before;
	struct pull_apply p;

	backstage_forbid(g, poison(g));
	for (unsigned i = 0; i < QUARANTINE_WHOLE_PAGE; i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%u", i);
		far_put(f, name, "\"poison\"");
	}
	before = backstage_mark(g);
	assert_int_equal(stage_pull(g, f, 1000, &p), INVALID);
	assert_true(hash_equal(before, backstage_mark(g)));
	assert_int_equal(count(g, "site-a"), 0);
	far_put(f, "p0", "\"good\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), QUARANTINE_WHOLE_PAGE - 1);
}

STAGE_TEST(a_store_that_takes_nothing_at_all_quarantines_nothing)
{
	struct hash before;
	struct pull_apply p;

	far_put(f, "r0000", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	far_put(f, "r0001", "1");
	if (g->kind == STAGE_POSTGRES)
		backstage_run(
			g, "ALTER TABLE records ADD CONSTRAINT forbidden CHECK (body IS NULL) NOT VALID");
	else
		backstage_forbid(g, "body IS NOT NULL");
	before = backstage_mark(g);
	assert_int_equal(stage_pull(g, f, 1000, &p), INVALID);
	assert_non_null(strstr(g->why.text, "takes no record"));
	assert_true(hash_equal(before, backstage_mark(g)));
	backstage_allow(g);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

STAGE_TEST(there_is_an_end_to_what_is_kept)
{
	struct pull_apply p;

	backstage_forbid(g, poison(g));
	for (unsigned i = 0; i <= QUARANTINE_MOST; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%04u", i);
		far_put(f, name, "\"poison\"");
		name[0] = 'g';
		if (i % 50 == 0)
			far_put(f, name, "\"good\"");
	}
	assert_int_equal(stage_pull(g, f, 2000, &p), INVALID);
	assert_non_null(strstr(g->why.text, "would be in quarantine"));
	assert_int_equal(count(g, "site-a"), 0);
	far_put(f, "p0000", "\"cure\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), QUARANTINE_MOST);
}

STAGE_TEST(there_is_an_end_to_their_bytes)
{
	enum { LONG = 250 * 1024, FIT = QUARANTINE_BYTES_MOST / LONG };
	struct pull_apply p;
	char *body = malloc(LONG + 1);

	assert_non_null(body);
	memset(body, 'x', LONG);
	memcpy(body, "\"poison ", 8);
	memcpy(body + LONG - 1, "\"", 2);
	backstage_forbid(g, poison(g));
	far_put(f, "g", "\"good\"");
	for (unsigned i = 0; i <= FIT; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%04u", i);
		far_put(f, name, body);
	}
	assert_int_equal(stage_pull(g, f, 2000, &p), INVALID);
	assert_non_null(strstr(g->why.text, "more than 32 MiB of its records would be in quarantine"));
	assert_int_equal(count(g, "site-a"), 0);
	far_put(f, "p0000", "\"cure\"");
	far_put(f, "p0001", "\"cure\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_in_range(count(g, "site-a"), FIT - 2, FIT);
	free(body);
}

STAGE_TEST(many_that_are_refused_cost_little_each)
{
	enum { MANY = 2000 };
	struct pull_apply p;

	backstage_forbid(g, poison(g));
	for (unsigned i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%04u", i);
		far_put(f, name, i % 5 == 4 ? "\"poison\"" : "1");
	}
	met = 0;
	assert_int_equal(stage_pull(g, f, MANY, &p), OK);
	assert_int_equal(p.taken, MANY / 5 * 4);
	assert_int_equal(p.quarantine.in, MANY / 5);
	assert_in_range(met, 1, 8 * MANY);
}

/* A key of their own that somebody wants to be unique, in what is known of the body. */
STAGE_TEST(a_unique_index_that_somebody_added_refuses_one)
{
	backstage_run(g, g->kind == STAGE_POSTGRES
				 ? "CREATE UNIQUE INDEX one_of_each ON records ((body::text))"
				 : "CREATE UNIQUE INDEX one_of_each ON records (body)");
	assert_int_equal(store_ping(g->store, &g->why), OK);
	far_put(f, "r0000", "1");
	far_put(f, "r0001", "1");
	far_put(f, "r0002", "2");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_string_equal(stage_body(g, "site-a", "r0002"), "2");
}

/* A local may hold what no pull brings any more, when it went back to just where a page had ended: then the answer to a
 * push is what tells, and it may be refused as a page may. */
STAGE_TEST(the_answer_to_a_push_is_sifted_too)
{
	struct push_apply p;

	far_put(f, "r0000", "1");
	far_put(f, "r0001", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	far_put(f, "r0001", "\"well\"");
	stage_put(g, "site-a", "r0000", "\"edit\"");
	stage_put(g, "site-a", "r0001", "\"edit too\"");
	stage_put(g, "site-a", "r0002", "\"new\"");
	assert_int_equal(stage_push(g, f, 10, &p), OK);
	assert_int_equal(p.refused, 2);
	assert_int_equal(p.conflicts, 1);
	assert_int_equal(p.applied, 1);
	assert_int_equal(p.quarantine.in, 1);
	assert_int_equal(count(g, "site-a"), 1);
	assert_true(stage_quarantines(g, "\"held\":true"));
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_true(span_is(far_get(f, "r0000")->body, "\"poison\""));
	assert_true(span_is(far_get(f, "r0001")->body, "\"well\""));
	assert_true(span_is(far_get(f, "r0002")->body, "\"new\""));
	backstage_allow(g);
	assert_int_equal(retry(g, first_entry(g)), OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"poison\"");
}

/* A conflict within the page and a refused record: both are dealt with. */
STAGE_TEST(a_conflict_in_the_same_page_is_one)
{
	far_put_many(f, 8);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_forbid(g, poison(g));
	stage_put(g, "site-a", "r0003", "\"centre\"");
	far_put(f, "r0003", "\"local\"");
	far_put(f, "r0005", "\"poison\"");
	far_put(f, "r0006", "6");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(stage_conflicts(g, "site-a"), 1);
	assert_int_equal(count(g, "site-a"), 1);
	assert_string_equal(stage_body(g, "site-a", "r0006"), "6");
}

/* No local does that; beside one that is refused both versions of it are taken one after the other. */
STAGE_TEST(a_record_that_stands_twice_beside_a_refused_one_is_taken)
{
	struct record records[4];
	struct page page;
	struct pull_apply p = {.node = "site-a", .page = &page};
	struct node n;

	far_put(f, "a", "1");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	backstage_forbid(g, poison(g));
	n = stage_node(g, "site-a");
	p.basis = &n.sync;
	far_put(f, "a", "2");
	far_page(f, n.sync.cursor, 10, &page);
	records[0] = page.records[0];
	far_put(f, "a", "3");
	far_put(f, "b", "\"poison\"");
	far_put(f, "c", "1");
	far_page(f, n.sync.cursor, 10, &page);
	assert_int_equal(page.n, 3);
	memcpy(records + 1, page.records, 3 * sizeof(records[0]));
	page.records = records;
	page.n = 4;
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.quarantine.in, 1);
	assert_string_equal(stage_body(g, "site-a", "a"), "3");
	assert_string_equal(stage_body(g, "site-a", "c"), "1");
	assert_int_equal(stage_conflicts(g, NULL), 0);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
}

/* A line that is no record, as page_decode() gives it: any bytes, a hash that is not its own. */
STAGE_TEST(a_line_that_is_no_record_is_kept_as_it_came)
{
	static const char line[] = "{\"id\":\"r0001\",\"body\":\"\xff\x01\"}";
	struct page_refused refused = {
		.line = {line, sizeof(line) - 1}, .why = {"hash: does not fit the record"}};
	struct node n = stage_node(g, "site-a");
	struct pull_apply p = {.node = "site-a", .basis = &n.sync};
	struct page page;

	far_put(f, "r0000", "1");
	far_put(f, "r0001", "2");
	far_page(f, 0, 10, &page);
	refused.claim = (struct record_claim){
		.id = span_of("r0001"), .hash = page.records[1].hash, .seq = page.records[1].seq};
	page.n = 1;
	page.refused = &refused;
	page.n_refused = 1;
	p.page = &page;
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, OK);
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 1);
	assert_true(stage_quarantines(g, "\xef\xbf\xbd\\u0001"));
	assert_int_equal(retry(g, first_entry(g)), INVALID);
	assert_int_equal(count(g, "site-a"), 1);
	far_put(f, "r0001", "3");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 0);
}

/* A page that brings nothing but one line, of which only its id, hash and place can be read. */
static void pull_a_broken_line(struct stage *g, const char *id, struct hash hash, uint64_t seq)
{
	struct page_refused refused = {.line = {"\xff", 1},
		.claim = {.id = span_of(id), .hash = hash, .seq = seq},
		.why = {"not UTF-8: \x7f\xff"}};
	struct node n = stage_node(g, "site-a");
	struct page page = {.refused = &refused, .n_refused = 1};
	struct pull_apply p = {.node = "site-a", .basis = &n.sync, .page = &page};

	page.end =
		(struct page_end){.to = {.seq = seq}, .head_seq = seq + 1, .more = true}; /* no proof yet */
	(void)snprintf(page.begin.node, sizeof(page.begin.node), "site-a");
	assert_int_equal(store_apply_pages(g->store, &p, 1, &g->why), OK);
	assert_int_equal(p.result, OK);
}

/* What cannot be read says nothing of what it was written over: nothing is thrown away for it. */
STAGE_TEST(a_broken_line_leaves_what_it_replaces)
{
	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	far_put(f, "r0001", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	assert_int_equal(count(g, "site-a"), 2);
	pull_a_broken_line(g, "r0000", (struct hash){{7, 8}}, 3);
	assert_int_equal(count(g, "site-a"), 3);
	assert_true(stage_quarantines(g, "\"held\":false")); /* the poison of r0000, which can be taken yet */
	assert_true(stage_quarantines(g, "not UTF-8: ??"));
	pull_a_broken_line(g, "r0000", (struct hash){{7, 8}}, 4); /* the same again, at another place */
	assert_int_equal(count(g, "site-a"), 3);
	assert_false(stage_quarantines(g, "\"seq\":4"));
	backstage_allow(g);
	assert_int_equal(retry(g, first_entry(g)), OK);
	assert_string_equal(stage_body(g, "site-a", "r0000"), "\"poison\"");
	assert_int_equal(count(g, "site-a"), 2);
}

STAGE_TEST(an_idle_proof_beside_a_quarantine_writes_nothing)
{
	struct hash before;
	struct pull_apply p;

	backstage_forbid(g, poison(g));
	far_put(f, "r0000", "\"poison\"");
	assert_int_equal(stage_settle(g, f), PROOF_EQUAL);
	before = backstage_mark(g);
	assert_int_equal(stage_pull(g, f, 10, &p), OK);
	assert_int_equal(p.proof, PROOF_EQUAL);
	assert_true(hash_equal(before, backstage_mark(g)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_refused_record_does_not_hold_up_the_others),
		cmocka_unit_test(among_records_that_are_there_already),
		cmocka_unit_test(alone_in_its_page_it_is_put_aside_too),
		cmocka_unit_test(another_version_of_the_local_releases_it),
		cmocka_unit_test(tried_again_it_is_refused_or_taken),
		cmocka_unit_test(the_centres_version_is_not_pushed_over_it),
		cmocka_unit_test(what_a_wiped_local_had_is_kept_and_given_back),
		cmocka_unit_test(of_a_removed_node_it_can_be_dropped),
		cmocka_unit_test(released_over_what_a_refill_sent_it_makes_no_conflict),
		cmocka_unit_test(what_nobody_holds_can_be_dropped),
		cmocka_unit_test(a_version_that_the_next_one_does_not_know_is_kept),
		cmocka_unit_test(a_version_that_was_merged_by_a_centre_since_restored_is_kept),
		cmocka_unit_test(read_again_after_a_reset_it_is_the_same_entry),
		cmocka_unit_test(a_whole_page_is_no_quarantine),
		cmocka_unit_test(a_store_that_takes_nothing_at_all_quarantines_nothing),
		cmocka_unit_test(there_is_an_end_to_what_is_kept),
		cmocka_unit_test(there_is_an_end_to_their_bytes),
		cmocka_unit_test(many_that_are_refused_cost_little_each),
		cmocka_unit_test(a_unique_index_that_somebody_added_refuses_one),
		cmocka_unit_test(the_answer_to_a_push_is_sifted_too),
		cmocka_unit_test(a_conflict_in_the_same_page_is_one),
		cmocka_unit_test(a_record_that_stands_twice_beside_a_refused_one_is_taken),
		cmocka_unit_test(a_line_that_is_no_record_is_kept_as_it_came),
		cmocka_unit_test(a_broken_line_leaves_what_it_replaces),
		cmocka_unit_test(an_idle_proof_beside_a_quarantine_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
