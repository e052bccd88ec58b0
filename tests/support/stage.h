/*
 * stage - a store for the contract tests, and short words for what is done to it.
 *
 * Speaks store.h alone.  STAGE_KINDS is the table of back-ends: every contract test runs on each of them.
 */
#ifndef TESTS_SUPPORT_STAGE_H
#define TESTS_SUPPORT_STAGE_H

#include "central/store.h"
#include "tests/support/far.h"

enum stage_kind { STAGE_FILE, STAGE_MEMORY, STAGE_POSTGRES };
#define STAGE_KINDS 3

struct stage {
	enum stage_kind kind;
	enum merge_policy policy;
	uint64_t notices_kept; /* 0: events become no notices */
	char dir[64];
	char url[256];
	struct store *store;
	struct arena arena; /* of the locals and of what was read */
	struct reason why;  /* of the last call that failed */
};

struct stage *stage_open(enum stage_kind kind, enum merge_policy policy);
void stage_reopen(struct stage *g); /* not in memory, where nothing outlives the store */
/* Opens it again with notices of what is a warning or worse; in memory nothing outlives that. */
void stage_notice(struct stage *g, uint64_t kept);
void stage_close(struct stage *g);

/*
 * Runs a test's text on every back-end, each time with an empty store and a local `site-a`
 * that it has met.
 */
typedef void stage_text(struct stage *g, struct far *f);
void stage_each(enum merge_policy policy, stage_text *text);
/* STAGE_TEST(name) { … } defines a cmocka test of that text. */
#define STAGE_TEST(name) STAGE_TEST_WITH(POLICY_OWNER, name)
#define STAGE_TEST_WITH(policy, name)                            \
	static void name##_text(struct stage *g, struct far *f); \
	static void name(void **state)                           \
	{                                                        \
		(void)state;                                     \
		stage_each(policy, name##_text);                 \
	}                                                        \
	static void name##_text(struct stage *g, struct far *f)

/* All that the store shows of itself, as text in the stage's arena; without times. */
const char *stage_dump(struct stage *g);

/* Adds the node and resets it to the local's epoch, as a first contact does. */
void stage_meet(struct stage *g, struct far *f);
void stage_reset(struct stage *g, const struct far *f); /* to its present epoch */
void far_put_many(struct far *f, unsigned n);           /* r0000, r0001, … */
struct node stage_node(struct stage *g, const char *name);
struct node_row stage_row(struct stage *g, const char *name);

/* One exchange each.  `ret` may be NULL. */
enum err stage_pull(struct stage *g, const struct far *f, unsigned limit, struct pull_apply *ret);
enum err stage_push(struct stage *g, struct far *f, unsigned limit, struct push_apply *ret);
/* A comparison by buckets: its digests, with buckets of about four records; then what differs, `share` buckets at once. */
enum err stage_digest(struct stage *g, const struct far *f, struct digest_apply *ret);
enum err stage_fetch(
	struct stage *g, const struct far *f, struct apart *apart, unsigned share, struct pull_apply *ret);
/*
 * Compares, pulls and pushes until the proof is judged; the first doubt ends it, as it is one that a
 * test must expect.
 */
enum proof_verdict stage_settle(struct stage *g, struct far *f);

/* A centre's edit; returns its hash. */
struct hash stage_put(struct stage *g, const char *owner, const char *id, const char *body);
struct hash stage_delete(struct stage *g, const char *owner, const char *id);
/* "body" of the record, "-" deleted, "" none. */
const char *stage_body(struct stage *g, const char *owner, const char *id);
uint64_t stage_conflicts(struct stage *g, const char *owner);
/* Has the list of site-a's quarantine that text? */
bool stage_quarantines(struct stage *g, const char *text);
/* How many of the stored events have the kind. */
unsigned stage_events(struct stage *g, const char *kind);

#endif
