/*
 * What a lying local may answer, into the centre's exchanges: begin, finish, what it means, what is noted, what comes next.
 *
 * An input is where the node stands, then answers, each told by two bytes and ending at a NUL; which request it answers follows
 * from the plan.  In an answer $R is the request's id, $E the epoch that was asked for, $N the node, $A the cursor and $B the one after it, $W and $H the
 * witness, $D the digest of what the centre holds.
 *
 * Held: what is told is text, and short; where a node stands moves only by an answer to this request of this node, and no further than
 * that says; a wrong one moves nothing, and the right one is still taken after it; the node beside it does not notice; little
 * memory is asked for; and once the local tells the truth, both ends are soon proven equal, whatever was said before.
 * FUZZ_SHOW=1 tells each exchange.
 */
#include "central/settle.h"
#include "shared/entropy.h"
#include "shared/seal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/honest.h"
#include "tests/fuzz/shelf.h"
#include "tests/fuzz/turn.h"

#define ANSWERS_MOST 16
#define HONEST_MOST 24 /* as in the simulation */
#define INTERVAL_MS 1000
#define FRUITLESS_MOST 8
#define WALL_US INT64_C(1700000000000000)
/* What finishing may ask for in all: some for each byte that came, and for what was sent. */
#define MEMORY_A_BYTE 64
#define MEMORY_MOST (256 * 1024)

static const struct epoch epochs[] = {{"11111111111111111111111111111111"},
	{"22222222222222222222222222222222"}, {"33333333333333333333333333333333"}};
static const struct position log_end = {4, {{9, 9}}};

/* --- chance and memory --- */

static uint64_t chance;

void entropy_bytes(void *at, size_t len)
{
	unsigned char *to = at;

	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)((chance++ + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static size_t asked_for;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t n);

void *__wrap_malloc(size_t n)
{
	asked_for += n;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	asked_for += n * size;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t n)
{
	asked_for += n;
	return __real_realloc(at, n);
}

/* --- a node and its turns --- */

struct play {
	struct store st;
	struct node node;
	struct node_run run;
	struct honest beside;
	int64_t now_us;
	unsigned fruitless; /* exchanges in a row that brought nothing forward, without a wait between */
};

static struct shelf_node *far(struct play *p)
{
	return &p->st.nodes[0];
}

/* Buckets that were found to differ, and are to be read. */
static void found_apart(struct play *p)
{
	node_troubled(&p->run)->apart.what = (struct apart){
		.bits_known = true, .bits = 4, .seq = 2, .found = 2, .records = 2, .n = 2, .buckets = {0, 5}};
	node_troubled(&p->run)->apart.basis = far(p)->sync;
}

static void place(struct play *p, struct fuzz *f)
{
	struct node_sync *s = &far(p)->sync;
	unsigned stand = fuzz_below(f, 8), flags = fuzz_byte(f);

	*s = (struct node_sync){.epoch = epochs[0], .cursor = 3, .witness = log_end, .generation = 1};
	s->digest = (struct digest){flags & 32 ? 0 : 2, {flags & 32 ? 0 : 5, 0}};
	s->recount = flags & 2;
	s->reconciling = flags & 64;
	far(p)->to_push = flags & 1 ? SHELF_ITEMS : 0;
	if (flags & 4) {
		s->doubt_seq = 3;
		s->doubt_local = (struct digest){3, {5, 1}};
		s->doubt_centre = s->digest;
	}
	if (flags & 8 || stand == 3) {
		far(p)->abandoned[0].epoch = epochs[1];
		far(p)->abandoned[0].witness = (struct position){7, {{8, 8}}};
		far(p)->n_abandoned = 1;
	}
	node_troubled(&p->run)->apart.failures = flags & 16 ? EXCHANGE_COMPARE_TRIES - 1 : 0;
	p->run.resets.in_a_row = flags & 128 ? NODE_RESETS_IN_A_ROW - 1 : 0;
	switch (stand) {
	case 0:
		*s = (struct node_sync){.digest = s->digest};
		break;
	case 2:
		s->rename_to = epochs[2];
		break;
	case 3:
		s->probe = epochs[1];
		break;
	case 4:
	case 5:
		s->comparing = true;
		s->cursor = 0;
		if (stand == 5)
			found_apart(p);
		break;
	case 6:
		p->run.at_head = p->run.to_push = true;
		far(p)->to_push = SHELF_ITEMS;
		break;
	default:
		break;
	}
}

static void play_begin(struct play *p, struct fuzz *f)
{
	*p = (struct play){.now_us = INT64_C(1000000000)};
	chance = 0;
	(void)snprintf(p->st.nodes[0].name, sizeof p->st.nodes[0].name, "site-a");
	(void)snprintf(p->st.nodes[1].name, sizeof p->st.nodes[1].name, "site-b");
	(void)snprintf(p->node.name, sizeof p->node.name, "site-a");
	p->beside = (struct honest){epochs[2], log_end, log_end};
	p->st.nodes[1].sync = (struct node_sync){
		.epoch = epochs[2], .cursor = log_end.seq, .witness = log_end, .generation = 1};
	place(p, f);
}

static void decide(struct play *p, bool resumed)
{
	struct sync_change change;
	struct event ev;
	struct reason why;
	struct node_sync was = far(p)->sync;

	if (resumed)
		MUST(exchange_decide_resumed(&was, &change, &ev));
	else
		exchange_decide_restless(&was, &change, &ev);
	ev.node = "site-a";
	turn_check_text(ev.text.text, sizeof ev.text.text);
	MUST(store_move_node(&p->st, "site-a", &was, &change, &ev, &why) == OK);
	memset(&p->run.resets, 0, sizeof p->run.resets);
}

/* The next step, with its waiting done, and what a person has to do. */
static struct plan next_plan(struct play *p)
{
	struct plan plan = {.step = PLAN_REST};

	if (far(p)->sync.halt == HALT_NONE && node_is_restless(&p->run))
		decide(p, false);
	if (far(p)->sync.halt != HALT_NONE)
		decide(p, true);
	for (unsigned i = 0; i < 3; i++) {
		p->node.sync = far(p)->sync;
		plan = plan_next(&p->node, &p->run, p->now_us, INTERVAL_MS);
		if (plan.step != PLAN_WAIT)
			break;
		MUST(plan.delay_ms > 0 && plan.delay_ms <= 60000);
		p->fruitless = 0;
		p->now_us += 1000 * plan.delay_ms;
	}
	MUST(plan.step != PLAN_WAIT && plan.step != PLAN_REST);
	return plan;
}

static struct position witness_of(struct play *p, const struct exchange *x)
{
	struct position witness = x->basis.witness;
	struct reason why;

	if (x->kind == PLAN_PROBE)
		MUST(store_abandoned(&p->st, "site-a", &x->basis.probe, &witness, &why) == OK);
	return witness;
}

/* False: there was nothing to push. */
static bool begin(struct play *p, struct exchange *x)
{
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct plan plan = next_plan(p);
	struct reason why;
	enum err e = exchange_begin(x, &p->st, &p->node, plan, &limits, &why);

	MUST(e == OK || e == GONE);
	if (e == GONE)
		exchange_note_nothing(&p->run);
	return e == OK;
}

/* Together with the answer of a node that tells the truth, in one transaction. */
static void finish(struct play *p, struct turn *t)
{
	const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;
	struct shelf_node *near = &p->st.nodes[1];
	struct node other = {.name = "site-b", .sync = near->sync};
	struct exchange y, *xs[2] = {&t->x, &y};
	struct outcome outs[2];
	enum err results[2];
	struct reason whys[2];
	struct buf body = {0};
	bool fails = p->st.fails != OK;

	MUST(exchange_begin(&y, &p->st, &other, (struct plan){.step = PLAN_PULL}, &limits, &whys[0]) == OK);
	p->beside.before = p->beside.end;
	p->beside.end.seq++;
	int status = honest_answer(&p->beside, &y, &near->sync, near->sync.witness, &body);
	struct answer answers[2] = {t->a, {.status = status, .body = buf_span(&body)}};

	t->before = far(p)->sync;
	asked_for = 0;
	exchange_finish_all(xs, &p->st, answers, 2, outs, results, whys);
	MUST(asked_for <= MEMORY_MOST + MEMORY_A_BYTE * (t->a.body.len + body.len));
	t->now = far(p)->sync;
	t->out = outs[0];
	t->e = results[0];
	MUST(t->e == OK || fails);
	MUST(fails ||
		(results[1] == OK && outs[1].result == POLL_OK && near->sync.cursor == p->beside.end.seq));
	if (near->sync.cursor != p->beside.end.seq) /* our own store failed: the same once more */
		p->beside.end = p->beside.before;
	p->st.fails = OK;
	buf_done(&body);
	exchange_done(&y);
}

/* No answer makes the centre ask again and again without an end: it waits. */
static void check_calm(struct play *p, const struct turn *t)
{
	bool failed = t->out.result != POLL_OK && t->out.result != POLL_EPOCH && t->out.result != POLL_STALE;

	MUST(!failed || t->x.kind == PLAN_PUSH || p->run.next_attempt_us > p->now_us);
	MUST(node_trouble(&p->run)->apart.failures < EXCHANGE_COMPARE_TRIES);
	if (!settle_same_sync(&t->before, &t->now) || t->out.pushed > 0 || t->out.too_large || t->out.stale)
		p->fruitless = 0;
	else
		MUST(++p->fruitless <= FRUITLESS_MOST);
}

static void show(const struct play *p, const struct turn *t)
{
	static const char *const steps[] = {
		"rest", "wait", "rename", "probe", "digest", "fetch", "push", "pull"};

	fprintf(stderr, "%lld ms: %s at %llu of %.4s: %d, %s %s; now at %llu of %.4s, %u to push\n",
		(long long)p->now_us / 1000, steps[t->x.kind], (unsigned long long)t->before.cursor,
		t->before.epoch.hex, t->a.status, poll_result_name(t->out.result), t->out.why.text,
		(unsigned long long)t->now.cursor, t->now.epoch.hex, p->st.nodes[0].to_push);
}

static void note(struct play *p, struct turn *t, int64_t took_us)
{
	struct reason why = {""};

	p->now_us += took_us;
	exchange_note(&p->node, &p->run, &t->x, &t->a, &t->out, p->now_us, INTERVAL_MS);
	p->node.sync = far(p)->sync;
	if (getenv("FUZZ_SHOW"))
		show(p, t);
	check_calm(p, t);
	MUST((unsigned)node_state(&p->node, &p->run, p->now_us, INTERVAL_MS, &why) < NODE_STATES);
	turn_check_text(why.text, sizeof why.text);
	const struct node_trouble *trouble = node_trouble(&p->run);
	turn_check_text(trouble->last_reason.text, sizeof trouble->last_reason.text);
	turn_check_text(trouble->push_reason.text, sizeof trouble->push_reason.text);
	turn_check_text(trouble->rejected.why.text, sizeof trouble->rejected.why.text);
}

/* A wrong answer took nothing away: what a local that stands where the centre believes it to would say is taken. */
static void check_still_open(const struct play *p, const struct turn *t)
{
	struct play copy = *p;
	struct turn again = {.x = t->x};
	struct position witness = witness_of(&copy, &t->x);
	struct honest h = {*exchange_asked_epoch(&t->x), witness, {witness.seq + 9, {{6, 6}}}};
	struct buf body = {0};

	if (epoch_is_none(&h.epoch))
		h.epoch = epochs[0];
	if (t->x.kind == PLAN_RENAME) /* which it was sent for */
		h.before = h.end;
	again.a.status = honest_answer(&h, &t->x, &t->before, witness, &body);
	again.a.body = buf_span(&body);
	finish(&copy, &again);
	MUST(again.e == OK && (again.out.result == POLL_OK || again.out.result == POLL_EPOCH));
	turn_check_told(&again);
	turn_check_moved(&again);
	buf_done(&body);
}

/* --- the liar --- */

static void put_word(struct play *p, const struct exchange *x, char word, struct buf *out)
{
	struct position witness = witness_of(p, x);
	char hex[33];

	hash_hex(witness.head, hex);
	if (word == 'R')
		buf_text(out, x->request.hex);
	else if (word == 'E')
		buf_text(out, exchange_asked_epoch(x)->hex);
	else if (word == 'T')
		buf_text(out, x->basis.rename_to.hex);
	else if (word == 'N')
		buf_text(out, x->node);
	else if (word == 'A' || word == 'B')
		buf_u64(out, x->basis.cursor + (word == 'B'));
	else if (word == 'W')
		buf_u64(out, witness.seq);
	else if (word == 'H')
		buf_text(out, hex);
	else if (word == 'D')
		digest_encode(x->basis.digest, out);
	else
		buf_char(out, '$');
}

static void compose(struct play *p, const struct exchange *x, struct span text, bool sealed, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '$' && i + 1 < text.len)
			put_word(p, x, text.at[++i], out);
		else
			buf_char(out, text.at[i]);
	if (sealed)
		seal_answer(out);
	MUST(!buf_failed(out));
}

enum { SEALED = 16, NOT_CARRIED = 32, STORE_FAILS = 64, MOVED = 128 };

static void lie(struct play *p, struct turn *t, struct fuzz *f, struct buf *body)
{
	static const int statuses[16] = {
		200, 200, 200, 409, 409, 400, 401, 403, 404, 413, 500, 503, 302, 429, 405, 0};
	static const enum poll_result carriers[8] = {POLL_REFUSED, POLL_TIMEOUT, POLL_RESOLVE, POLL_TLS,
		POLL_NETWORK, POLL_HTTP, POLL_BAD_BODY, POLL_TIMEOUT};
	unsigned how = fuzz_byte(f), took = fuzz_byte(f);

	t->a.took_us = took * INT64_C(100000);
	t->a.t_sent_us = WALL_US + p->now_us;
	t->a.t_done_us = t->a.t_sent_us + t->a.took_us;
	compose(p, &t->x, fuzz_text(f), how & SEALED, body);
	if (how & NOT_CARRIED) {
		t->a.result = carriers[how % 8];
		(void)fail(OK, &t->why, "-%.*s", (int)body->len, body->at);
		t->a.why = t->why.text;
	} else {
		t->a.status = statuses[how % 16];
		t->a.body = buf_span(body);
	}
	if (how & STORE_FAILS)
		p->st.fails = RETRY;
	if (how & MOVED) {
		far(p)->sync.resets++;
		far(p)->sync.generation++;
	}
}

static void turn_lying(struct play *p, struct fuzz *f)
{
	struct turn t = {.e = OK};
	struct buf body = {0};

	if (!begin(p, &t.x))
		return;
	lie(p, &t, f, &body);
	/* exactly as long, so that a look behind its end is seen */
	char *copy = fuzz_copy(t.a.body);
	t.a.body.at = copy;
	finish(p, &t);
	turn_check_told(&t);
	turn_check_moved(&t);
	if (t.e == OK && !t.out.stale && t.out.result != POLL_OK && settle_same_sync(&t.before, &t.now) &&
		node_sync_same_basis(&t.x.basis, &t.now))
		check_still_open(p, &t);
	note(p, &t, t.a.took_us);
	exchange_done(&t.x);
	free(copy);
	buf_done(&body);
}

/* --- the truth at last --- */

static bool at_rest(const struct play *p)
{
	return p->run.proof.known && p->run.proof.equal && !p->run.proof.outdated && p->run.at_head &&
	       !p->run.to_push;
}

static void turn_honest(struct play *p, struct honest *h)
{
	struct turn t = {.e = OK};
	struct buf body = {0};

	if (!begin(p, &t.x))
		return;
	t.a = (struct answer){
		.took_us = 1000, .t_sent_us = WALL_US + p->now_us, .t_done_us = WALL_US + p->now_us + 1000};
	t.a.status = honest_answer(h, &t.x, &far(p)->sync, witness_of(p, &t.x), &body);
	t.a.body = buf_span(&body);
	finish(p, &t);
	turn_check_told(&t);
	turn_check_moved(&t);
	note(p, &t, 1000);
	exchange_done(&t.x);
	buf_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct position end = {9, {{7, 7}}};
	struct honest h = {{"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"}, end, end};
	struct fuzz f = fuzz_of(data, size);
	struct play p;

	play_begin(&p, &f);
	for (unsigned i = 0; i < ANSWERS_MOST && f.at < f.end; i++)
		turn_lying(&p, &f);
	p.run.proof.known = false;
	for (unsigned i = 0; i < HONEST_MOST && !at_rest(&p); i++)
		turn_honest(&p, &h);
	MUST(at_rest(&p));
	node_run_done(&p.run);
	return 0;
}
