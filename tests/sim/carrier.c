#include "tests/sim/carrier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "tests/sim/oracle.h"
#include "tests/sim/past.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"
#include "tests/sim/words.h"

int carrier_call(
	struct site *s, enum http_method method, struct span target, struct span body, struct buf *ret)
{
	struct http_request q = {
		.method = method,
		.target = target,
		.body = body,
		.content_type = span_of(body.len > 0 ? "application/x-ndjson" : ""),
		.host = span_of("localhost"),
		.prefer = span_of(
			s->place % 2 ? "" : HTTP_PREFER_MINIMAL), /* some locals are too old to know of it */
		.loopback = true,
	};
	struct http_reply r = {0};
	int status;

	int64_t centre_off_us = clock_use(s->clock_off_us);

	q.received_us = clock_wall_us();
	router_dispatch(&s->router, &q, &r);
	(void)clock_use(centre_off_us);
	status = r.status;
	buf_put(ret, buf_span(&r.body));
	http_reply_done(&r);
	arena_done(&q.arena);
	return status;
}

void carrier_drop(struct flight *f)
{
	if (f->x != NULL) {
		exchange_done(f->x);
		free(f->x);
	}
	buf_done(&f->body);
	*f = (struct flight){0};
}

void carrier_drop_lates(struct site *s)
{
	for (unsigned i = 0; i < LATES; i++)
		carrier_drop(&s->lates[i]);
}

/* The plan, with its waiting done. */
static struct plan next_plan(struct world *w, struct site *s, struct node *n)
{
	struct reason why;
	struct plan p = {.step = PLAN_WAIT};

	if (store_node(w->store, s->name, n, &why) != OK)
		world_fail(w, "%s is not in the store: %s", s->name, why.text);
	for (unsigned i = 0; i < 3 && p.step == PLAN_WAIT; i++) {
		p = plan_next(n, &s->run, clock_mono_us(), INTERVAL_MS);
		if (p.step == PLAN_WAIT)
			time_pass(1000 * p.delay_ms);
	}
	if (p.step == PLAN_WAIT)
		world_fail(w, "%s: the plan waits for ever", s->name);
	s->run.asked = false;
	return p;
}

/* Our own store failed: nothing that was in memory may be believed. */
static void distrust(struct world *w, struct site *s, enum err e, const struct reason *why)
{
	if (!commit_fate_met())
		world_fail(w, "the centre's store failed by itself: %s: %s", err_name(e), why->text);
	trace_line("  the centre's store: %s", err_name(e));
	s->run.at_head = false;
	s->run.to_push = false;
}

void carrier_send(struct world *w, struct site *s)
{
	struct exchange_limits limits = {
		w->rules.page, w->rules.page, w->rules.page_bytes, PUSH_BYTES_MAX, w->rules.bucket_records};
	struct node n;
	struct plan plan = next_plan(w, s, &n);
	struct exchange *x;
	struct reason why;
	enum err e;

	if (plan.step == PLAN_REST)
		return;
	x = calloc(1, sizeof *x);
	assert(x != NULL);
	e = exchange_begin(x, w->store, &n, plan, &limits, &why);
	oracle_look(w, &(struct cause){.kind = CAUSE_BEGIN, .sites = 1u << s->place});
	if (e != OK) {
		if (e == GONE) {
			trace_line("%s nothing to push", s->name);
			exchange_note_nothing(&s->run);
		} else if (e == CONFLICT && (w->restored || w->touched)) {
			trace_line("%s moved under the centre", s->name);
			s->run.at_head = false;
		} else {
			distrust(w, s, e, &why);
		}
		exchange_done(x);
		free(x);
		return;
	}
	s->flight.x = x;
	s->flight.life = w->life;
	s->flight.answered = false;
	w->tally.exchanges++;
	past_keep_request(w, s, x);
	trace_line("%s ask   %s", s->name, words_request(x->target, x->body));
}

static enum cause_kind cause_of(struct span target)
{
	static const char epoch[] = "/v1/epoch";

	if (target.len >= sizeof epoch - 1 && memcmp(target.at, epoch, sizeof epoch - 1) == 0)
		return CAUSE_RENAME;
	return CAUSE_DELIVERY;
}

/* A local serves exactly those who stand on its own log, as far as it keeps that. */
static void check_basis(struct world *w, const struct site *s, struct span target, int status)
{
	struct span text = words_query(target, "witness"), after_text = words_query(target, "after");
	struct position witness;
	struct epoch epoch;
	uint64_t after = 0;
	bool stands;

	if (text.at == NULL || !position_parse(text, &witness) ||
		!epoch_parse(words_query(target, "epoch"), &epoch))
		return;
	if (after_text.at != NULL && !span_to_u64(after_text, UINT64_MAX, &after))
		return;
	stands = epoch_equal(&epoch, &s->view.epoch) && site_view_has(&s->view, witness) &&
		 after <= s->view.end.seq;
	if (stands != (status != 409))
		world_fail(w, "%s: %s a request whose witness %llu is %s its log", s->name,
			stands ? "refuses" : "serves", (unsigned long long)witness.seq,
			stands ? "in" : "not in");
}

/* What reaches a local. */
struct message {
	enum http_method method;
	struct span target, body;
	unsigned life; /* of the centre, when it was sent */
	bool again;    /* it was sent before, and nobody waits for it (any more) */
};

/* What the log was before the call decides. */
static int call(struct world *w, struct site *s, const struct message *m, struct buf *ret)
{
	int status = carrier_call(s, m->method, m->target, m->body, ret);
	struct cause c = {.kind = cause_of(m->target),
		.sites = 1u << s->place,
		.ghost = m->life != w->life,
		.again = m->again,
		.writes_nothing = m->method == HTTP_GET};

	check_basis(w, s, m->target, status);
	/* An old name may be taken up where its witness has been pruned since: just one more reset. */
	s->disturbed |= m->again && c.kind == CAUSE_RENAME && status == 200;
	oracle_look(w, &c);
	return status;
}

void carrier_deliver(struct world *w, struct site *s, struct flight *f)
{
	const struct message m = {.method = f->x->method,
		.target = buf_span(&f->x->target),
		.body = buf_span(&f->x->body),
		.life = f->life,
		.again = f != &s->flight};

	buf_clear(&f->body);
	f->status = call(w, s, &m, &f->body);
	f->answered = true;
	f->astray = false;
	f->accidents = s->accidents;
	for (unsigned id = 0; id < IDS_MAX; id++) {
		f->held[id].any = s->view.rows[id].present;
		f->held[id].hash = s->view.rows[id].hash;
	}
	past_keep_answer(s, &f->x->request, f->status, buf_span(&f->body));
	trace_line("%s serve %d %s", s->name, f->status, words_answer(f->body));
}

/* Whatever it does to a node that it was not for, it writes nothing there. */
void carrier_deliver_astray(struct world *w, struct site *s, struct site *at)
{
	struct flight *f = &s->flight;
	struct cause c = {.kind = CAUSE_NOTHING};

	buf_clear(&f->body);
	f->status = carrier_call(at, f->x->method, buf_span(&f->x->target), buf_span(&f->x->body), &f->body);
	f->answered = f->astray = true;
	past_keep_answer(s, &f->x->request, f->status, buf_span(&f->body));
	trace_line("%s serves %s %d %s", at->name, s->name, f->status, words_answer(f->body));
	oracle_look(w, &c);
}

void carrier_deliver_past(struct world *w, struct site *s, const struct past *p)
{
	const struct message m = {.method = p->method,
		.target = buf_span(&p->target),
		.body = buf_span(&p->body),
		.life = p->life,
		.again = true};
	struct buf answer = {0};
	int status;

	trace_line("%s again %s", s->name, words_request(p->target, p->body));
	status = call(w, s, &m, &answer);
	trace_line("%s serve %d %s", s->name, status, words_answer(answer));
	buf_done(&answer);
}

/* Did what this exchange was built on move since? */
static bool is_outdated(const struct world *w, const struct site *s, const struct exchange *x)
{
	const struct node_sync *b = &x->basis;
	unsigned i = s->place;

	return !epoch_equal(&b->epoch, &w->view.nodes[i].epoch) || b->cursor != w->view.nodes[i].cursor ||
	       b->generation != w->view.nodes[i].generation || b->resets != w->view.nodes[i].resets ||
	       b->comparing != w->view.nodes[i].comparing ||
	       !position_equal(b->witness, w->view.nodes[i].witness);
}

/* The centre has learned where the log stood: it must never ask about less again. */
static void check_witness(
	struct world *w, const struct site *s, const struct answer *a, const struct outcome *o)
{
	uint64_t end = words_end(a->body);

	if (o->stale || o->result != POLL_OK || w->view.nodes[s->place].witness.seq >= end)
		return;
	world_fail(w, "%s: the centre learned of %llu in its log and remembers %llu", s->name,
		(unsigned long long)end, (unsigned long long)w->view.nodes[s->place].witness.seq);
}

/* A copy that was put back may be one of a time when a row was missing. */
static bool copy_lacks_a_row(const struct world *w, const struct site *s)
{
	return (s->damaged || w->damaged) && (s->restored || w->restored);
}

static void tell(struct world *w, struct site *s, const struct exchange *x, const struct answer *a,
	const struct outcome *o)
{
	w->tally.compared += o->compared;
	w->tally.fetched += x->kind == PLAN_FETCH && o->pulled;
	w->tally.applied += !o->stale && o->result == POLL_OK;
	w->tally.stale += o->stale;
	w->tally.doubts += o->proof == PROOF_DOUBTED;
	if (o->proof == PROOF_DOUBTED && !s->lost && !s->passed_over && !copy_lacks_a_row(w, s))
		world_fail(w, "%s: both ends are in doubt, and no row was taken from under either", s->name);
	trace_line("%s done  %s%s%s%s%s took %u%s%s", s->name, poll_result_name(o->result),
		a->result == POLL_OK && o->result != POLL_OK ? ": " : "",
		a->result == POLL_OK && o->result != POLL_OK ? o->why.text : "", o->stale ? " stale" : "",
		o->at_head ? " head" : "", (unsigned)o->taken, o->to_push ? " to-push" : "",
		o->proof == PROOF_EQUAL     ? " equal"
		: o->proof == PROOF_DOUBTED ? " DOUBT"
					    : "");
}

static void note(struct world *w, struct site *s, const struct flight *f, const struct answer *a,
	const struct outcome *o)
{
	const struct exchange *x = f->x;
	struct node n;
	struct reason why;

	if (store_node(w->store, s->name, &n, &why) != OK)
		world_fail(w, "%s is not in the store: %s", s->name, why.text);
	if (x->kind != PLAN_RENAME && x->kind != PLAN_PROBE)
		check_witness(w, s, a, o);
	exchange_note(&n, &s->run, x, a, o, clock_mono_us(), INTERVAL_MS);
	tell(w, s, x, a, o);
	if (!o->stale && o->proof == PROOF_EQUAL)
		oracle_check_proof(w, s, f, &n);
}

/* A comparison that came to nothing once too often gives way to a full re-read, whatever came. */
static bool is_last_try(const struct exchange *x)
{
	bool compares = x->kind == PLAN_DIGEST || x->kind == PLAN_FETCH;

	return compares && x->compare.failures + 1 >= EXCHANGE_COMPARE_TRIES;
}

/* Offers an answer to an exchange.  `harmless`: it is none of its own, or not whole. */
static void finish(struct world *w, struct site *s, struct flight *f, const struct answer *a, bool harmless)
{
	struct told told[SITES_MAX] = {0};
	struct cause c = {.kind = CAUSE_ANSWER, .sites = 1u << s->place, .told = told};
	struct outcome o = {0};
	struct reason why;
	enum err e;

	c.writes_nothing = (harmless || a->result != POLL_OK) && !is_last_try(f->x);
	c.writes_nothing |= is_outdated(w, s, f->x);
	if (a->result == POLL_OK)
		words_told(a->body, &told[s->place]);
	e = exchange_finish(f->x, w->store, a, &o, &why);
	oracle_look(w, &c);
	if (e == OK)
		note(w, s, f, a, &o);
	else
		distrust(w, s, e, &why);
	carrier_drop(f);
}

static struct answer answer_of(int status, struct span body)
{
	int64_t now_us = clock_wall_us();

	return (struct answer){.result = POLL_OK,
		.status = status,
		.body = body,
		.took_us = 10,
		.t_sent_us = now_us - 10,
		.t_done_us = now_us};
}

void carrier_receive(struct world *w, struct site *s, struct flight *f)
{
	struct answer a = answer_of(f->status, buf_span(&f->body));

	finish(w, s, f, &a, f->astray);
}

/* A line end is no part of the answer: losing just that is no loss. */
void carrier_receive_cut(struct world *w, struct site *s, size_t len)
{
	struct flight *f = &s->flight;
	size_t least = f->body.len;
	struct answer a = answer_of(f->status, (struct span){f->body.at, len});

	while (least > 0 && f->body.at[least - 1] == '\n')
		least--;
	trace_line("%s cut   %zu of %zu bytes", s->name, len, f->body.len);
	finish(w, s, f, &a, len < least || f->astray);
}

void carrier_receive_other(struct world *w, struct site *s, const struct past *p)
{
	struct answer a = answer_of(p->status, buf_span(&p->answer));

	trace_line("%s other %d %s", s->name, p->status, words_answer(p->answer));
	finish(w, s, &s->flight, &a, true);
}

void carrier_time_out(struct world *w, struct site *s)
{
	struct answer a = {.result = POLL_TIMEOUT, .why = "no answer in time"};

	trace_line("%s lost  %s", s->name, s->flight.answered ? "the answer" : "the request");
	finish(w, s, &s->flight, &a, true);
}

void carrier_receive_all(struct world *w)
{
	struct exchange *xs[SITES_MAX];
	struct site *sites[SITES_MAX];
	struct answer answers[SITES_MAX];
	struct outcome outs[SITES_MAX] = {0};
	enum err results[SITES_MAX];
	struct reason whys[SITES_MAX];
	struct told told[SITES_MAX] = {0};
	struct cause c = {.kind = CAUSE_ANSWER, .told = told};
	size_t n = 0;

	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		if (s->flight.x == NULL || !s->flight.answered || s->flight.astray)
			continue;
		c.sites |= 1u << i;
		words_told(buf_span(&s->flight.body), &told[i]);
		sites[n] = s;
		xs[n] = s->flight.x;
		answers[n++] = answer_of(s->flight.status, buf_span(&s->flight.body));
	}
	if (n == 0)
		return;
	trace_line("together: %zu", n);
	exchange_finish_all(xs, w->store, answers, n, outs, results, whys);
	oracle_look(w, &c);
	for (size_t i = 0; i < n; i++) {
		if (results[i] == OK)
			note(w, sites[i], &sites[i]->flight, &answers[i], &outs[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (results[i] != OK) {
			trace_line("  %s: %s", sites[i]->name, err_name(results[i]));
			sites[i]->run.at_head = false;
			sites[i]->run.to_push = false;
		}
		carrier_drop(&sites[i]->flight);
	}
}
