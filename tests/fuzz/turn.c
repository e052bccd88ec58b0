#include "tests/fuzz/turn.h"

#include "central/settle.h"
#include "shared/seal.h"
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"

/* --- what is told --- */

/* One line of it; control characters would be a terminal's. */
void turn_check_text(const char *text, size_t room)
{
	size_t len = strnlen(text, room);

	MUST(len < room);
	for (size_t i = 0, step; i < len; i += step) {
		step = utf8_length(text + i, len - i);
		MUST(step > 0 && (unsigned char)text[i] >= ' ');
	}
}

void turn_check_told(const struct turn *t)
{
	const struct outcome *out = &t->out;

	MUST((unsigned)out->result < POLL_RESULTS && poll_result_name(out->result)[0]);
	MUST(out->result == POLL_OK || out->why.text[0]);
	turn_check_text(out->why.text, sizeof out->why.text);
	turn_check_text(out->version, sizeof out->version);
	turn_check_text(out->rejected_why.text, sizeof out->rejected_why.text);
	MUST(!out->rejected_id[0] || record_id_ok(span_of(out->rejected_id)));
	if (!out->event.kind)
		return;
	MUST(out->event.node == t->x.node && out->event.text.text[0]);
	turn_check_text(out->event.text.text, sizeof out->event.text.text);
}

/* --- what moves --- */

static bool in_body(const struct turn *t, const char *text)
{
	return t->a.body.len > 0 && memmem(t->a.body.at, t->a.body.len, text, strlen(text)) != NULL;
}

static bool says_number(const struct turn *t, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	return in_body(t, text);
}

static bool says_position(const struct turn *t, struct position p)
{
	char hex[33];

	hash_hex(p.head, hex);
	return p.seq == 0 || (says_number(t, p.seq) && in_body(t, hex));
}

/* An answer to another request, or of another node, would not hold these words; escapes may hide them. */
static void check_cause(const struct turn *t)
{
	const struct exchange *x = &t->x;

	MUST(t->a.result == POLL_OK && (t->a.status == 200 || t->a.status == 409));
	if (memchr(t->a.body.at, '\\', t->a.body.len))
		return;
	MUST(in_body(t, x->request.hex));
	MUST(in_body(t, x->kind == PLAN_RENAME && t->a.status == 200 ? t->now.epoch.hex : x->node));
	/* It served what was asked for, or lost a part of it. */
	if (x->kind != PLAN_RENAME && (t->a.status == 200 || !epoch_is_none(&t->now.rename_to)))
		MUST(in_body(t, exchange_asked_epoch(x)->hex));
	MUST(t->now.cursor == 0 || t->now.cursor == t->before.cursor || says_number(t, t->now.cursor) ||
		(x->kind == PLAN_FETCH && t->now.cursor == x->compare.fetched.cursor));
	MUST(position_equal(t->now.witness, t->before.witness) || says_position(t, t->now.witness) ||
		x->kind == PLAN_PROBE);
	MUST(epoch_equal(&t->now.epoch, &t->before.epoch) ||
		epoch_equal(&t->now.epoch, &t->before.rename_to) ||
		epoch_equal(&t->now.epoch, &t->before.probe) || in_body(t, t->now.epoch.hex));
}

/* What was pulled, or compared. */
static void check_end(const struct turn *t)
{
	const struct page_end *end = &t->out.end;
	char sum[33];

	if (t->x.kind == PLAN_DIGEST)
		MUST(end->to.seq >= t->before.witness.seq);
	if (t->x.kind == PLAN_FETCH)
		MUST(end->to.seq >= t->x.compare.fetched.cursor);
	if (memchr(t->a.body.at, '\\', t->a.body.len))
		return;
	MUST(!end->more || in_body(t, "\"seq\""));
	(void)snprintf(sum, sizeof sum, "%016llx%016llx", (unsigned long long)t->before.digest.lane[0],
		(unsigned long long)t->before.digest.lane[1]);
	MUST(t->out.proof != PROOF_EQUAL || in_body(t, sum));
}

static bool gave_up_comparing(const struct turn *t)
{
	return exchange_compares(&t->x) && t->before.comparing && !t->now.comparing && t->now.cursor == 0 &&
	       t->now.generation == t->before.generation + 1 &&
	       position_equal(t->now.witness, t->before.witness) &&
	       epoch_equal(&t->now.epoch, &t->before.epoch);
}

void turn_check_moved(const struct turn *t)
{
	const struct node_sync *b = &t->before, *n = &t->now;
	bool moved = !settle_same_sync(b, n);

	MUST(n->cursor <= n->witness.seq && (n->cursor == 0 || !n->comparing));
	MUST(n->generation - b->generation <= 1 && n->resets - b->resets <= 1);
	MUST(n->halt == b->halt || (n->halt == HALT_IDENTITY && t->x.kind == PLAN_PROBE) ||
		(n->halt == HALT_DIVERGED && t->out.proof == PROOF_DIVERGED));
	if (t->out.sync_known)
		MUST(settle_same_sync(&t->out.sync, n));
	else
		MUST(!moved);
	MUST((t->e != OK) == (t->out.result == POLL_STORE) && t->out.stale == (t->out.result == POLL_STALE));
	MUST(!moved || (t->e == OK && node_sync_same_basis(&t->x.basis, b)));
	MUST(epoch_equal(&n->rename_to, &b->rename_to) || b->witness.seq > 0 || t->x.kind == PLAN_PROBE ||
		epoch_is_none(&n->rename_to));
	if (moved && !gave_up_comparing(t)) {
		MUST(seal_holds(t->a.body));
		check_cause(t);
	}
	if (t->out.pulled || t->out.compared)
		check_end(t);
	MUST(t->out.pushed + t->out.refused + t->out.rejected <= (t->x.kind == PLAN_PUSH ? t->x.sent.n : 0));
	MUST(t->out.taken <= t->a.body.len / 2);
}
