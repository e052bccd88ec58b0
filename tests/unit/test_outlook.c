/* What is said of a node: known, next, unblock, safe.  Tables; what comes next is the real plan's word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "central/outlook.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define NOW INT64_C(1000000000)
#define WALL INT64_C(1795222926000000) /* 2026-11-21T01:02:06Z */
#define SECOND INT64_C(1000000)
#define INTERVAL_MS 1000

static const struct epoch e1 = {"11111111111111111111111111111111"};
static const struct epoch e2 = {"22222222222222222222222222222222"};

/* One situation: a node in step, and a change to it. */
struct scene {
	struct node node;
	struct node_run run;
	uint32_t results[POLL_RESULTS];
	struct outlook_seen seen;
	struct outlook_question question;
};
typedef void change_fn(struct scene *s);

static void begin(struct scene *s)
{
	*s = (struct scene){
		.node = {.name = "a",
			.sync = {.epoch = e1, .cursor = 5, .witness = {.seq = 5}, .swept = true}}};
	s->run = (struct node_run){.heard = true,
		.heard_at_us = WALL - 2 * SECOND,
		.heard_mono_us = NOW - 2 * SECOND,
		.at_head = true,
		.head_seq = 5,
		.polls_begun = 9,
		.polls_ok = 9,
		.oldest_us = -1};
	s->run.proof.known = s->run.proof.equal = true;
	s->run.proof.mono_us = NOW - SECOND;
	s->run.proof.at_us = WALL - SECOND;
	s->run.proof.seq = 5;
	s->run.proof.poll = 9;
	s->run.proof.digest.count = 12;
	s->seen = (struct outlook_seen){.url = "http://a:1",
		.turn = OUTLOOK_PLANNED,
		.now_us = NOW,
		.wall_us = WALL,
		.due_us = -1,
		.current = true,
		.store_ok = true,
		.push = {true, 0},
		.conflicts = {true, 0},
		.rejected = {true, 0},
		.quarantined = {true, 0}};
	s->question = (struct outlook_question){.since = 8};
}

/* The rest follows from what was changed, as in the scheduler. */
static void end(struct scene *s)
{
	struct outlook_seen *o = &s->seen;
	struct reason why;

	o->node = &s->node;
	o->run = &s->run;
	o->results = s->results;
	o->state = node_state(&s->node, &s->run, NOW, INTERVAL_MS, &why);
	if (o->turn == OUTLOOK_UNDER_WAY)
		return;
	o->plan = plan_next(&s->node, &s->run, NOW, INTERVAL_MS);
	o->then = o->plan.step == PLAN_WAIT
			  ? plan_next(&s->node, &s->run, s->run.next_attempt_us, INTERVAL_MS)
			  : o->plan;
	if (o->plan.step == PLAN_WAIT)
		o->due_us = WALL + o->plan.delay_ms * 1000;
}

static void failed(struct scene *s, enum poll_result r, const char *text)
{
	s->run.failures = 3;
	s->run.polls_failed = 3;
	s->run.last_result = r;
	s->run.failed_poll = 9;
	s->results[r] = 3;
	s->run.next_attempt_us = NOW + 4 * SECOND;
	s->seen.current = false;
	(void)(fail)(OK, &node_troubled(&s->run)->last_reason, "%s", text);
}

static void in_step(struct scene *s)
{
	(void)s;
}
static void never_asked(struct scene *s)
{
	s->node.sync = (struct node_sync){.cursor = 0};
	s->run = (struct node_run){.oldest_us = -1};
	s->seen.current = false;
}
static void parked(struct scene *s)
{
	s->seen.turn = OUTLOOK_UNDER_WAY;
	s->seen.plan = (struct plan){.step = PLAN_PULL, .delay_ms = 700};
}
static void pushing(struct scene *s)
{
	s->seen.turn = OUTLOOK_UNDER_WAY;
	s->seen.plan = (struct plan){.step = PLAN_PUSH};
	s->run.to_push = true;
	s->seen.push.n = 2;
}
static void held(struct scene *s)
{
	s->seen.turn = OUTLOOK_HELD;
	s->run.at_head = false;
	s->run.pull_backlog = 70;
	s->run.head_seq = 75;
}
static void behind(struct scene *s)
{
	s->run.at_head = false;
	s->run.pull_backlog = 70;
	s->run.head_seq = 75;
}
static void to_be_pushed(struct scene *s)
{
	s->run.to_push = true;
	s->seen.push.n = 2;
}
static void waits_its_turn(struct scene *s)
{
	s->seen.due_us = WALL + SECOND / 2;
}
static void paused(struct scene *s)
{
	s->node.paused = true;
	s->seen.current = false;
}
static void cloned(struct scene *s)
{
	s->node.sync.halt = HALT_IDENTITY;
	s->node.sync.probe = e2;
	s->seen.current = false;
}
static void cloned_and_paused(struct scene *s)
{
	cloned(s);
	s->node.paused = true;
}
static void diverged(struct scene *s)
{
	s->node.sync.halt = HALT_DIVERGED;
	s->seen.current = false;
}
static void renaming(struct scene *s)
{
	s->node.sync.rename_to = e2;
}
static void probing(struct scene *s)
{
	s->node.sync.probe = e2;
}
static void rereading(struct scene *s)
{
	s->node.sync.reconciling = true;
	s->node.sync.swept = false;
	s->run.at_head = false;
	s->run.head_seq = 90;
	s->run.pull_backlog = 85;
}
static void comparing(struct scene *s)
{
	rereading(s);
	s->node.sync.comparing = true;
	s->node.sync.cursor = 0;
}
static void sweeping(struct scene *s)
{
	rereading(s);
	s->run.to_push = s->run.at_head = true;
	s->run.pull_backlog = 0;
	(void)snprintf(s->node.sync.sweep_after, sizeof s->node.sync.sweep_after, "k7");
}
static void doubted(struct scene *s)
{
	rereading(s);
	s->node.sync.recount = true;
	s->node.sync.doubt_seq = 5;
	s->run.proof.equal = false;
	s->run.proof.seq = 90;
	s->run.at_head = true;
}
static void unequal(struct scene *s)
{
	s->run.proof.equal = false;
}
static void store_lost(struct scene *s)
{
	s->seen.turn = OUTLOOK_STORE;
	s->run.store_failures = 1;
	s->seen.push.known = s->seen.conflicts.known = s->seen.rejected.known = s->seen.quarantined.known =
		false;
	s->seen.store_ok = false;
	(void)(fail)(OK, &node_troubled(&s->run)->last_reason, "no connection to the server");
}
static void store_full(struct scene *s)
{
	s->run.store_failures = 2;
	s->run.last_result = POLL_STORE;
	s->run.failed_poll = 9;
	s->run.next_attempt_us = NOW + SECOND;
	s->seen.store_ok = false;
	(void)(fail)(OK, &node_troubled(&s->run)->last_reason, "the disk is full");
}
static void store_full_but_idle(struct scene *s)
{
	s->seen.store_ok = false;
}
static void push_fails(struct scene *s)
{
	to_be_pushed(s);
	s->run.push_failures = 2;
	s->run.polls_failed = 2;
	s->results[POLL_HTTP] = 2;
	s->run.next_push_us = NOW + 3 * SECOND;
	(void)(fail)(OK, &node_troubled(&s->run)->push_reason, "500 internal: no detail");
}
static void push_finds_no_room(struct scene *s)
{
	push_fails(s);
	(void)(fail)(OK, &node_troubled(&s->run)->push_reason, "507 disk_full: the disk is full");
}
static void rejects(struct scene *s)
{
	s->seen.rejected.n = 4;
	s->run.proof.poll = 3;
}
static void quarantined(struct scene *s)
{
	s->seen.quarantined.n = s->node.sync.quarantined = 2;
}
static void damaged(struct scene *s)
{
	s->run.counted.known = true;
	s->run.counted.damaged = 3;
	strcpy(node_troubled(&s->run)->damaged, "r7");
	s->run.counted.at_us = WALL - SECOND;
}
static void told_damage(struct scene *s)
{
	ailments_add(&node_troubled(&s->run)->unwell, AILMENT_DAMAGED, "a page cannot be read");
}
static void read_only(struct scene *s)
{
	ailments_add(&node_troubled(&s->run)->unwell, AILMENT_WRITES_FAIL,
		"its database takes no writes: readonly");
}
static void disk_full(struct scene *s)
{
	ailments_add(&node_troubled(&s->run)->unwell, AILMENT_DISK_FULL, "no room");
}
static void disk_low_and_quarantined(struct scene *s)
{
	quarantined(s);
	ailments_add(&node_troubled(&s->run)->unwell, AILMENT_DISK_LOW, "only 5 KiB are free");
}
static void remembers_a_rejection(struct scene *s)
{
	node_troubled(&s->run)->rejected.any = true;
	strcpy(node_troubled(&s->run)->rejected.first, "r4");
	(void)(fail)(OK, &node_troubled(&s->run)->rejected.why, "%s", "too deep");
}
static void told_clock(struct scene *s, int64_t error_us, enum chrony_state chrony)
{
	s->run.clock.told = true;
	s->run.clock.error_us = error_us;
	s->run.clock.kept = chrony;
}
static void old_token(struct scene *s)
{
	s->run.token = NODE_TOKEN_BEFORE;
}
static void new_token(struct scene *s)
{
	s->run.token = NODE_TOKEN_NEWEST;
}
static void clock_free(struct scene *s)
{
	told_clock(s, -1, CHRONY_MISSING);
}
static void clock_not_asked(struct scene *s)
{
	told_clock(s, -1, CHRONY_UNKNOWN);
}
static void clock_kept(struct scene *s)
{
	told_clock(s, 50, CHRONY_SYNCHRONISED);
}
static void clock_skewed(struct scene *s)
{
	const struct offset_stamps t = {WALL, WALL + 5 * SECOND, WALL + 5 * SECOND + 10, WALL + 20};

	clock_kept(s);
	offset_add(&s->run.clock.measured, &t, NOW);
}
/* 5 ms off, which both ends rule out. */
static void clock_disagrees(struct scene *s)
{
	const struct offset_stamps t = {WALL, WALL + 5000, WALL + 5010, WALL + 20};

	clock_kept(s);
	s->seen.clock = (struct offset_claim){OFFSET_SYNCHRONISED, 50};
	offset_add(&s->run.clock.measured, &t, NOW);
}
static void counted_whole(struct scene *s)
{
	s->run.counted.known = true;
}
static void quarantine_unknown(struct scene *s)
{
	s->seen.quarantined.known = false;
}
static void lost_conflicts(struct scene *s)
{
	s->seen.conflicts.n = 6;
}
static void proof_is_old(struct scene *s)
{
	s->run.proof.poll = 8;
	s->run.proof.mono_us = NOW - 4000 * SECOND;
}
static void written_after_the_proof(struct scene *s)
{
	s->run.head_seq = 6;
	s->run.pull_backlog = 1;
	s->run.at_head = false;
}
static void edited_after_the_proof(struct scene *s)
{
	s->run.to_push = true;
}
static void asked_again(struct scene *s)
{
	s->question.again = true;
	s->question.position = 5;
}
static void wrote_meanwhile(struct scene *s)
{
	s->question.again = true;
	s->question.position = 4;
}
static void store_takes_its_time(struct scene *s)
{
	store_full(s);
	s->question.since = 9; /* that failure was before the question */
}
static void down_before_the_question(struct scene *s)
{
	failed(s, POLL_TIMEOUT, "no answer within 10 s");
	s->question.since = 9;
}
#define FAILS(name, result, text)               \
	static void name(struct scene *s)       \
	{                                       \
		failed(s, POLL_##result, text); \
	}
FAILS(refused, REFUSED, "Connection refused")
FAILS(silent, TIMEOUT, "no answer within 10 s")
FAILS(unresolved, RESOLVE, "no such host")
FAILS(no_tls, TLS, "certificate has expired")
FAILS(cut_off, NETWORK, "connection reset")
FAILS(http_503, HTTP, "503 unavailable: no detail")
FAILS(unauthorised, UNAUTHORISED, "it refused the centre's token (401)")
FAILS(not_tidemark, NOT_TIDEMARK, "what answers there (404) is no Tidemark local")
FAILS(wrong_node, WRONG_NODE, "what answers there is the node b, not a")
FAILS(bad_body, BAD_BODY, "line 3: hash")
FAILS(incompatible, INCOMPATIBLE, "it speaks 7 to 9")

/* --- what comes next --- */

static const struct {
	change_fn *change;
	const char *text;
} nexts[] = {
	{in_step, "now: a pull: what is new, or else a proof that nothing is"},
	{never_asked, "now: a pull of what its log holds after position 0"},
	{parked, "a pull waits at the node for news; it is answered at once when there is some, else within "
		 "0.7 s "
		 "by a proof that there is none"},
	{pushing, "under way: a push of what it lacks"},
	{held, "as soon as pages of other nodes leave room: a pull of what its log holds after position 5"},
	{behind, "now: a pull of what its log holds after position 5"},
	{to_be_pushed, "now: a push of what it lacks"},
	{waits_its_turn,
		"in 1 s (2026-11-21T01:02:06.500000Z): a pull: what is new, or else a proof that nothing is"},
	{paused, "nothing: it is paused, and is asked nothing until it is resumed"},
	{cloned_and_paused, "nothing: it is paused, and is asked nothing until it is resumed"},
	{cloned, "nothing: it is asked nothing, and records move in neither direction, until an operator has "
		 "decided"},
	{diverged,
		"nothing: it is asked nothing, and records move in neither direction, until an operator has "
		"decided"},
	{renaming, "now: its database, which went back to an older state, gets a new epoch"},
	{probing, "now: the database that answers is asked whether it holds all that was known of it"},
	{rereading, "now: a pull of what its log holds after position 5"},
	{store_lost,
		"as soon as the centre's own store can be read: a pull: what is new, or else a proof that "
		"nothing is"},
	{push_fails, "now: a pull, until what is to be pushed may be tried again"},
	{refused,
		"in 4 s (2026-11-21T01:02:10.000000Z): a pull: what is new, or else a proof that nothing is"},
};

static void test_what_comes_next_is_the_plans_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof nexts / sizeof *nexts; i++) {
		struct scene s;
		struct buf out = {0};

		begin(&s);
		nexts[i].change(&s);
		end(&s);
		outlook_next(&s.seen, &out);
		if (strcmp(out.at, nexts[i].text) != 0)
			fail_msg("%zu: %s", i, out.at);
		buf_done(&out);
		node_run_done(&s.run);
	}
}

/* --- what somebody can do --- */

static const struct {
	change_fn *change;
	const char *contains; /* NULL: nobody needs to do anything */
} unblocks[] = {
	{in_step, NULL},
	{never_asked, NULL},
	{behind, NULL},
	{to_be_pushed, NULL},
	{rereading, NULL},
	{renaming, NULL},
	{probing, NULL},
	{proof_is_old, NULL},
	{lost_conflicts, NULL},
	{paused, "`tidemark node resume a`"},
	{cloned_and_paused, "`tidemark node resume a`"},
	{cloned, "What answers at http://a:1 now: `tidemark node resume a` accepts it"},
	{diverged, "check both disks, then `tidemark node resume a`"},
	{refused, "nobody listens at http://a:1: start tidemark-local there"},
	{silent, "does `curl http://a:1/healthz` answer"},
	{unresolved, "the host in http://a:1 has no address"},
	{no_tls, "check the certificate"},
	{cut_off, "the connection to http://a:1 breaks off"},
	{http_503, "the node answers and says what is wrong"},
	{unauthorised, "what `tidemark node token a` prints, as its --token-file"},
	{not_tidemark, "something else listens at http://a:1"},
	{wrong_node, "http://a:1 is the address of another node"},
	{bad_body, "nothing of its answer was taken"},
	{incompatible, "upgrade the end that the reason names"},
	{store_lost, "nothing at the node: the centre's own store must work again"},
	{store_full, "nothing at the node: the centre's own store must work again"},
	{push_fails, "tried again by itself, at once by `tidemark push a`"},
	{push_finds_no_room, "make room where the tidemark-local of a keeps its database"},
	{rejects, "`tidemark events --node a --level warn` names what it cannot hold"},
	{quarantined, "`tidemark quarantine --node a` shows them"},
	{damaged, "`tidemark safe a`, then wipe its database"},
	{told_damage, "`tidemark safe a`, then wipe its database"},
	{read_only, "look at the disk and the file system under the database of the tidemark-local at "
		    "http://a:1"},
	{disk_full, "make room where the tidemark-local of a keeps its database"},
	{disk_low_and_quarantined, "make room where the tidemark-local of a keeps its database, before"},
	{old_token, "give the tidemark-local of a what `tidemark node token a` prints"},
	{new_token, NULL},
	{clock_skewed, "let chronyd keep both"},
	{clock_free, NULL}, /* shown, and nobody needs to do anything */
	{counted_whole, NULL},
};

static void test_what_would_unblock_it_is_said_for_every_cause(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof unblocks / sizeof *unblocks; i++) {
		struct scene s;
		struct buf out = {0};

		begin(&s);
		unblocks[i].change(&s);
		end(&s);
		bool some = outlook_unblock(&s.seen, &out);
		if (some != (unblocks[i].contains != NULL) || some != (out.len > 0))
			fail_msg("%zu: %s", i, out.at ? out.at : "nothing");
		if (some && (!strstr(out.at, unblocks[i].contains) || strchr(out.at, '{')))
			fail_msg("%zu: %s", i, out.at);
		buf_done(&out);
		node_run_done(&s.run);
	}
}

/* --- what is known --- */

/* What is wrong, each with its clause. */
static const struct {
	change_fn *change;
	unsigned kinds;
	const char *says; /* of the worst of them */
} ailing[] = {
	{in_step, 0, NULL},
	{counted_whole, 0, NULL},
	{damaged, AILMENT_BIT(AILMENT_DAMAGED),
		"the bytes of 3 of its records no longer give their hash, one is r7"},
	{told_damage, AILMENT_BIT(AILMENT_DAMAGED), "a page cannot be read"},
	{read_only, AILMENT_BIT(AILMENT_WRITES_FAIL), "its database takes no writes: readonly"},
	{disk_full, AILMENT_BIT(AILMENT_DISK_FULL), "no room"},
	{disk_low_and_quarantined, AILMENT_BIT(AILMENT_DISK_LOW) | AILMENT_BIT(AILMENT_QUARANTINED),
		"only 5 KiB"},
	{quarantined, AILMENT_BIT(AILMENT_QUARANTINED), "2 of its records could not be applied"},
	{remembers_a_rejection, AILMENT_BIT(AILMENT_REJECTED), "one is r4: too deep"},
	{old_token, AILMENT_BIT(AILMENT_TOKEN_OLD),
		"still takes the token before its rotation; give it the new one: `tidemark node token a`"},
	{clock_free, AILMENT_BIT(AILMENT_CLOCK_FREE), "nothing keeps its clock: "},
	{clock_not_asked, 0, NULL},
	{clock_kept, 0, NULL},
	{clock_disagrees, AILMENT_BIT(AILMENT_CLOCK_DISAGREES), "5.0 ms ahead of the centre's clock"},
	{clock_skewed, AILMENT_BIT(AILMENT_CLOCK_SKEWED), "5.000 s ahead of the centre's clock"},
};

static void test_what_is_wrong_though_it_is_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ailing / sizeof *ailing; i++) {
		struct scene s;
		struct buf out = {0};

		begin(&s);
		ailing[i].change(&s);
		end(&s);
		unsigned kinds = outlook_ailing(&s.node, &s.run, NOW, &s.seen.clock);
		if (kinds != ailing[i].kinds)
			fail_msg("%zu: %x", i, kinds);
		for (int a = AILMENTS - 1; a >= 0; a--)
			if (kinds & AILMENT_BIT(a)) {
				buf_clear(&out);
				outlook_say_ailment(&s.seen, (enum ailment)a, &out);
			}
		if (kinds && !strstr(out.at, ailing[i].says))
			fail_msg("%zu: %s", i, out.at);
		buf_done(&out);
		node_run_done(&s.run);
	}
}

static const struct {
	change_fn *change;
	const char *topic, *text; /* NULL: nothing is said about it */
} facts[] = {
	{in_step, "exchange",
		"the last that worked ended 2 s ago, at 2026-11-21T01:02:04.000000Z; 9 worked and 0 "
		"failed since the centre started"},
	{in_step, "position",
		"its database is epoch 11111111; its log is read up to position 5 of 5, its end; the "
		"centre holds 0 of its records"},
	{in_step, "waiting", "to pull 0, to push 0"},
	{in_step, "proof", "both ends were equal, 12 records, 1 s ago, at position 5"},
	{in_step, "failures", NULL},
	{in_step, "repair", NULL},
	{in_step, "quarantined", NULL},
	{in_step, "rejected", NULL},
	{in_step, "conflicts", NULL},
	{in_step, "clock", "not measured yet (shown only: nothing depends on it)"},
	{never_asked, "exchange",
		"no exchange worked since the centre started, and none ever did before; 0 worked "
		"and 0 failed since the centre started"},
	{never_asked, "position", "nothing of its database is known"},
	{never_asked, "waiting", "to pull: not known, since it is not heard, to push 0"},
	{never_asked, "proof", "none since the centre started: whether both ends are equal is not known"},
	{refused, "failures", "3 in a row failed, the last: Connection refused (refused); in all refused 3"},
	{refused, "waiting", "to pull: not known, since it is not heard, to push 0"},
	{refused, "position",
		"its database is epoch 11111111; its log is read up to position 5 of 5, where it ended "
		"when the node was last heard; the centre holds 0 of its records"},
	{comparing, "position",
		"its database is epoch 11111111; its log is read on when both ends have been compared; the "
		"centre holds 0 of its records"},
	{push_fails, "failures",
		"2 pushes in a row failed, the last: 500 internal: no detail; in all http 2"},
	{push_fails, "waiting", "to pull 0, to push 2"},
	{store_lost, "failures",
		"the centre's own store did not take 1 answer in a row: no connection to the server"},
	{store_lost, "waiting", "to pull 0, to push: not known, since the centre's own store cannot say"},
	{store_lost, "quarantined", "not known, since the centre's own store cannot say"},
	{written_after_the_proof, "proof",
		"both ends were equal, 12 records, 1 s ago, at position 5; its log went on to 6 since"},
	{proof_is_old, "proof", "both ends were equal, 12 records, 66 min ago, at position 5"},
	{doubted, "proof", "both ends were not equal 1 s ago, at position 90"},
	{doubted, "repair",
		"both ends are compared record by record: position 5 of 90 is read; the next proof sums the "
		"rows "
		"themselves at both ends; a proof at position 5 was not equal"},
	{sweeping, "repair",
		"both ends are compared record by record: position 5 of 90 is read; what it lacks is looked "
		"for, by "
		"id, after k7"},
	{renaming, "repair", "its database went back to an older state and becomes epoch 22222222"},
	{cloned, "repair", "what answers is epoch 22222222, which the centre had given up"},
	{quarantined, "quarantined",
		"2 of its records could not be applied; they are kept with their bytes and left out of the "
		"proof"},
	{damaged, "damaged",
		"the bytes of 3 of its records no longer give their hash at the node, one is r7; found when "
		"its rows "
		"were last summed, 2026-11-21T01:02:05.000000Z"},
	{counted_whole, "damaged", NULL},
	{in_step, "unwell", NULL},
	{told_damage, "unwell", "a page cannot be read"},
	{disk_low_and_quarantined, "unwell", "only 5 KiB are free"},
	{rejects, "rejected", "4 of the centre's records it could not hold; no proof is made meanwhile"},
	{lost_conflicts, "conflicts", "6 of its versions lost a conflict, or were put aside, and are kept"},
};

struct found {
	const char *topic;
	char text[512];
	unsigned n;
};

static void note_fact(void *ctx, const char *topic, struct span text)
{
	struct found *f = ctx;

	if (strcmp(topic, f->topic) != 0)
		return;
	f->n++;
	(void)snprintf(f->text, sizeof f->text, "%.*s", (int)text.len, text.at);
}

static void test_what_is_known_is_told_and_what_is_not_is_said_to_be_unknown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		struct scene s;
		struct found f = {.topic = facts[i].topic};

		begin(&s);
		facts[i].change(&s);
		end(&s);
		outlook_known(&s.seen, note_fact, &f);
		if (f.n != (facts[i].text ? 1 : 0) || (facts[i].text && strcmp(f.text, facts[i].text) != 0))
			fail_msg("%zu %s: %s", i, f.topic, f.text);
		node_run_done(&s.run);
	}
}

/* --- may it be reimaged? --- */

static const struct {
	change_fn *change;
	enum outlook_safety safety;
	bool pending;
	const char *contains;
} verdicts[] = {
	{in_step, OUTLOOK_SAFE, false,
		"all it held at 2026-11-21T01:02:05.000000Z, up to position 5, is at the centre and durable "
		"(12 "
		"records). What is written to it later is not covered: keep what writes to it stopped"},
	{asked_again, OUTLOOK_SAFE, false, "up to position 5"},
	{damaged, OUTLOOK_SAFE, false, "up to position 5"}, /* the centre's copies are checked by verify */
	{lost_conflicts, OUTLOOK_SAFE, false, "up to position 5"},
	{quarantined, OUTLOOK_SAFE, false,
		". In quarantine: 2, kept at the centre with every byte, but not pushed back by itself"},
	{quarantine_unknown, OUTLOOK_UNKNOWN, true, "cannot say what is in quarantine"},
	{wrote_meanwhile, OUTLOOK_UNSAFE, false, "its log went on from position 4 to 5 while it was watched"},
	{proof_is_old, OUTLOOK_UNKNOWN, true, "has not been proven equal since the question was asked"},
	{written_after_the_proof, OUTLOOK_UNSAFE, true,
		"1 of its changes, after position 5, are not at the centre yet"},
	{edited_after_the_proof, OUTLOOK_UNKNOWN, true, "has not been proven equal"},
	{behind, OUTLOOK_UNSAFE, true, "70 of its changes, after position 5, are not at the centre yet"},
	{never_asked, OUTLOOK_UNKNOWN, true, "has not been asked yet"},
	{refused, OUTLOOK_UNKNOWN, false, "it cannot be asked what it holds: Connection refused"},
	{silent, OUTLOOK_UNKNOWN, false, "after position 5 is not known to be at the centre"},
	{wrong_node, OUTLOOK_UNKNOWN, false, "is the node b, not a"},
	{bad_body, OUTLOOK_UNKNOWN, false, "line 3: hash"},
	{down_before_the_question, OUTLOOK_UNKNOWN, true, "it cannot be asked"},
	{paused, OUTLOOK_UNKNOWN, false, "`tidemark node resume a` first"},
	{cloned_and_paused, OUTLOOK_UNKNOWN, false, "it is paused"},
	{cloned, OUTLOOK_UNSAFE, false, "two databases claim its name"},
	{diverged, OUTLOOK_UNSAFE, false, "both ends differ although everything was read"},
	{renaming, OUTLOOK_UNSAFE, true, "both ends are still compared"},
	{probing, OUTLOOK_UNSAFE, true, "both ends are still compared"},
	{rereading, OUTLOOK_UNSAFE, true, "both ends are still compared: what has not been read"},
	{comparing, OUTLOOK_UNSAFE, true, "both ends are still compared: what the centre lacks of it"},
	{doubted, OUTLOOK_UNSAFE, true, "(position 5 of 90) could be lost"},
	{unequal, OUTLOOK_UNKNOWN, true, "has not been proven equal"},
	{store_lost, OUTLOOK_UNKNOWN, false, "the centre's own store does not take what the node has"},
	{store_full, OUTLOOK_UNKNOWN, false, "the disk is full"},
	{store_takes_its_time, OUTLOOK_UNKNOWN, true, "the disk is full"},
	{store_full_but_idle, OUTLOOK_UNKNOWN, false, "the centre's own store cannot be written"},
	{rejects, OUTLOOK_UNKNOWN, false, "while it cannot hold 4 of the centre's records"},
	{push_fails, OUTLOOK_UNKNOWN, false, "while records cannot be pushed to it"},
};

static void test_only_a_proof_made_after_the_question_is_safe(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		struct scene s;
		struct buf out = {0};

		begin(&s);
		verdicts[i].change(&s);
		end(&s);
		struct outlook_verdict v = outlook_safe(&s.seen, &s.question, &out);
		if (v.safety != verdicts[i].safety || v.pending != verdicts[i].pending ||
			!strstr(out.at, verdicts[i].contains))
			fail_msg("%zu: %d %d %s", i, (int)v.safety, v.pending, out.at);
		buf_done(&out);
		node_run_done(&s.run);
	}
}

static void test_ages_have_the_unit_that_people_use(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {{-1, "0 s"}, {0, "0 s"}, {119, "119 s"}, {120, "2 min"}, {7199, "119 min"}, {7200, "2 h"},
		{172799, "47 h"}, {172800, "2 days"}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {0};

		outlook_put_age(&out, rows[i].s * SECOND);
		assert_string_equal(out.at, rows[i].text);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_next_is_the_plans_word),
		cmocka_unit_test(test_what_would_unblock_it_is_said_for_every_cause),
		cmocka_unit_test(test_what_is_wrong_though_it_is_up),
		cmocka_unit_test(test_what_is_known_is_told_and_what_is_not_is_said_to_be_unknown),
		cmocka_unit_test(test_only_a_proof_made_after_the_question_is_safe),
		cmocka_unit_test(test_ages_have_the_unit_that_people_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
