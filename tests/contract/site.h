/*
 * site - a local's database for the contract tests: on a real file in a directory of its
 * own, or in memory; and short words for what is done to it.
 */
#ifndef TESTS_CONTRACT_SITE_H
#define TESTS_CONTRACT_SITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local/replica.h" /* before cmocka.h, which makes fail a macro */
#include "shared/lite.h"

#include <cmocka.h>

struct site {
	char dir[64];
	char path[96];
	struct lite *holder; /* keeps a database in memory alive over a reopening */
	struct replica *r;
	uint64_t kept, replaced_kept;
};

/* Of the last call that failed; the tests have one thread unless they say so. */
static struct reason why;

#define ASSERT_OK(call)                                                             \
	do {                                                                        \
		enum err e_ = (call);                                               \
		if (e_ != OK)                                                       \
			print_error("%s: %s: %s\n", #call, err_name(e_), why.text); \
		assert_int_equal(e_, OK);                                           \
	} while (0)

static inline void site_open(struct site *s)
{
	struct replica_config c = {.path = s->path,
		.node = "site-a",
		.positions_kept = s->kept,
		.replaced_kept = s->replaced_kept};
	ASSERT_OK(replica_open(&s->r, &c, &why));
}

static inline void site_reopen(struct site *s)
{
	replica_close(s->r);
	site_open(s);
}

/* Any connection at all: a database in memory lives as long as one is open. */
static inline struct lite *site_hold(const char *path)
{
	static const char *const text[] = {"SELECT 1"}, *const name[] = {"one"};
	static const struct statements one = {text, name, 1}, none = {text, name, 0};
	struct lite_config c = {.path = path, .writer = true, .queries = &one, .migrations = &none};
	struct lite *l = NULL;
	ASSERT_OK(lite_open(&l, &c, &why));
	return l;
}

static inline int site_on_file(void **state)
{
	static struct site s;
	s = (struct site){.kept = 5};
	snprintf(s.dir, sizeof s.dir, "%s/site.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(s.dir))
		return -1;
	snprintf(s.path, sizeof s.path, "%s/a.db", s.dir);
	site_open(&s);
	*state = &s;
	return 0;
}

static inline int site_in_memory(void **state)
{
	static struct site s;
	static unsigned count;
	s = (struct site){.kept = 5};
	snprintf(s.path, sizeof s.path, "file:/site%u?vfs=memdb", count++);
	s.holder = site_hold(s.path);
	site_open(&s);
	*state = &s;
	return 0;
}

static inline int site_gone(void **state)
{
	struct site *s = *state;
	replica_close(s->r);
	lite_close(s->holder);
	if (!s->dir[0])
		return 0;
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
	return system(command);
}

/* A cmocka test on a file, or twice: on a file and in memory. */
#define SITE_TEST_ON_FILE(f)                                       \
	{                                                          \
#f ", on a file", f, site_on_file, site_gone, NULL \
	}
#define SITE_TEST(f)                                                 \
	SITE_TEST_ON_FILE(f),                                        \
	{                                                            \
#f ", in memory", f, site_in_memory, site_gone, NULL \
	}

static inline void site_begin(struct site *s)
{
	ASSERT_OK(replica_write_begin(s->r, &why));
}

static inline void site_commit(struct site *s)
{
	ASSERT_OK(replica_write_commit(s->r, &why));
}

static inline struct draft draft_of(const char *id, const char *body)
{
	return (struct draft){.id = span_of(id), .type = span_of("reading"), .body = span_of(body)};
}

static inline struct written site_put(struct site *s, const char *id, const char *body)
{
	struct draft d = draft_of(id, body);
	struct written w;
	site_begin(s);
	ASSERT_OK(replica_put(s->r, &d, NULL, &w, &why));
	site_commit(s);
	return w;
}

/* As many of the largest records as fill more than an answer may: l00, l01, …  Returns how many. */
static inline unsigned site_put_large(struct site *s)
{
	static char body[RECORD_BODY_MAX + 1];
	unsigned n = PAGE_BYTES_MAX / RECORD_BODY_MAX + 3;
	memset(body, '7', RECORD_BODY_MAX);
	for (unsigned i = 0; i < n; i++) {
		char id[16];
		snprintf(id, sizeof id, "l%02u", i);
		site_put(s, id, body);
	}
	return n;
}

static inline struct written site_delete(struct site *s, const char *id)
{
	struct written w;
	site_begin(s);
	ASSERT_OK(replica_delete(s->r, span_of(id), NULL, &w, &why));
	site_commit(s);
	return w;
}

static inline struct replica_status site_status(struct site *s)
{
	struct replica_status status;
	ASSERT_OK(replica_status(s->r, &status, &why));
	return status;
}

/* Who wrote the record's present version. */
static inline uint64_t site_actor_of(struct site *s, const char *id)
{
	struct arena a = {0};
	struct record v;
	ASSERT_OK(replica_get(s->r, span_of(id), &v, &a, &why));
	arena_done(&a);
	return v.dot.actor;
}

/* A version as the centre would push it. */
static inline struct record centre_version(
	const char *id, const char *body, uint64_t n, const struct record *over, struct vector *vv)
{
	struct record v = {.owner = span_of("site-a"),
		.id = span_of(id),
		.type = span_of("reading"),
		.body = span_of(body),
		.dot = {.actor = ACTOR_CENTRE_BIT | 7, .n = n},
		.created_at_us = 1000,
		.updated_at_us = 2000,
		.clock_error_us = -1};
	vv->n = 0;
	if (over)
		vector_succeed(vv, v.dot, over->dot, over->vv, (struct dot){0, 0}, NULL);
	v.vv = vv->n ? vv : NULL;
	v.hash = record_hash(&v);
	return v;
}

static inline enum push_result push_one(
	struct site *s, const struct push_item *item, struct push_answer *ret, struct arena *a)
{
	site_begin(s);
	ASSERT_OK(replica_apply(s->r, item, ret, a, &why));
	site_commit(s);
	return ret->result;
}

/* A page of the feed, decoded as the centre does. */
struct served_page {
	struct feed_served served;
	struct buf text;
	struct page page; /* when served */
};

static inline struct page_request request_of(struct site *s, uint64_t after, struct position witness)
{
	struct page_request q = {.centre = {"00000000000000000000000000000001"},
		.request = {"0123456789abcdef0123456789abcdef"},
		.epoch = site_status(s).epoch,
		.protocol = 1,
		.after = after,
		.witness = witness,
		.limit = PAGE_LIMIT_DEFAULT,
		.max_bytes = PAGE_BYTES_DEFAULT};
	return q;
}

static inline void site_feed(struct site *s, const struct page_request *q, struct served_page *ret)
{
	memset(ret, 0, sizeof *ret);
	ASSERT_OK(replica_feed(s->r, q, 17, &ret->served, &ret->text, &why));
	if (ret->served.verdict == FEED_SERVED)
		ASSERT_OK(page_decode(&ret->page, buf_span(&ret->text), span_of("site-a"), q->after, &why));
}

static inline void served_done(struct served_page *p)
{
	if (p->served.verdict == FEED_SERVED)
		page_done(&p->page);
	buf_done(&p->text);
}

static inline struct digest site_recount(struct site *s)
{
	struct page_request q = request_of(s, site_status(s).head.seq, (struct position){0});
	q.recount = true;
	q.limit = 0;
	struct served_page p;
	site_feed(s, &q, &p);
	struct digest d = p.page.end.digest;
	served_done(&p);
	return d;
}

/* What somebody else does to the database while the replica is open: two statements. */
static inline void site_meddle(struct site *s, const char *first, const char *second)
{
	const char *const text[] = {first, second};
	static const char *const name[] = {"first", "second"};
	const struct statements queries = {text, name, 2};
	const struct statements as_many = {text, name, 2}; /* as the schema has migrations */
	struct lite_config c = {.path = s->path,
		.writer = true,
		.queries = &queries,
		.migrations = &as_many,
		.application_id = 0x54444d4c};
	struct lite *l = NULL;
	ASSERT_OK(lite_open(&l, &c, &why));
	lite_begin(l);
	query_run(query_begin(l, 0));
	query_run(query_begin(l, 1));
	ASSERT_OK(lite_commit(l, &why));
	lite_close(l);
}

/* Seeded chance, so that a failure repeats. */
static inline unsigned chance(unsigned *seed, unsigned below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

/* One of everything that writes; ids are few, so that most overwrite. */
static inline void site_random_write(struct site *s, unsigned *seed)
{
	char id[16], body[64];
	snprintf(id, sizeof id, "r%u", chance(seed, 9));
	snprintf(body, sizeof body, "{\"v\":%u}", chance(seed, 1000000));
	unsigned what = chance(seed, 10);
	if (what < 6) {
		site_put(s, id, body);
		return;
	}
	struct arena a = {0};
	struct record present;
	bool there = replica_get(s->r, span_of(id), &present, &a, &why) == OK;
	if (what < 8 && there) {
		site_delete(s, id);
	} else {
		struct vector vv;
		struct push_item item = {.expected = there ? present.hash : (struct hash){{0, 0}}};
		item.record =
			centre_version(id, body, 1 + chance(seed, 1000000), there ? &present : NULL, &vv);
		struct push_answer answer;
		site_begin(s);
		ASSERT_OK(replica_apply(s->r, &item, &answer, &a, &why));
		site_commit(s);
		assert_int_equal(answer.result, PUSH_APPLIED);
	}
	arena_done(&a);
}

#endif
