#include "central/settle.h"

#include <stdlib.h>
#include <string.h>

static bool same_progress(const struct node_sync *a, const struct node_sync *b)
{
	return a->reconciling == b->reconciling && a->recount == b->recount && a->swept == b->swept &&
	       strcmp(a->sweep_after, b->sweep_after) == 0;
}

static bool same_proof(const struct node_sync *a, const struct node_sync *b)
{
	return digest_equal(a->digest, b->digest) && a->doubt_seq == b->doubt_seq &&
	       digest_equal(a->doubt_local, b->doubt_local) && digest_equal(a->doubt_centre, b->doubt_centre);
}

bool settle_same_sync(const struct node_sync *a, const struct node_sync *b)
{
	return node_sync_same_basis(a, b) && same_progress(a, b) && same_proof(a, b) &&
	       a->quarantined == b->quarantined;
}

bool settle_only_moved(const struct node_sync *a, const struct node_sync *b)
{
	struct node_sync moved = *a;

	moved.cursor = b->cursor;
	moved.witness = b->witness;
	moved.digest = b->digest;
	return settle_same_sync(&moved, b);
}

static void witness_to(struct node_sync *s, struct position p)
{
	if (p.seq > s->witness.seq)
		s->witness = p;
}

void settle_page(struct node_sync *s, const struct page_end *end)
{
	s->cursor = end->to.seq;
	witness_to(s, end->to);
}

/* The log cannot have ended before a position that it holds: what was learned last is the newest. */
void settle_digest(struct node_sync *s, enum apart_verdict v, const struct page_end *end)
{
	witness_to(s, end->to);
	switch (v) {
	case APART_NONE:
		s->comparing = false;
		s->cursor = end->to.seq;
		break;
	case APART_MUCH:
		sync_reset(s, &s->epoch, s->witness);
		break;
	case APART_FEW:
	case APART_FINER:
		break;
	}
}

/* Not to the end of the log as it is now: what was written meanwhile may lie in other buckets. */
void settle_fetched(struct node_sync *s, const struct fetched *f, const struct page_end *end)
{
	witness_to(s, end->to);
	if (!f->last)
		return;
	s->comparing = false;
	s->cursor = f->cursor;
}

void settle_push(struct node_sync *s, const struct push_page *sent, const struct page_end *end)
{
	witness_to(s, end->to);
	if (s->swept)
		return;
	if (sent->sweep_ends) {
		s->swept = true;
		s->sweep_after[0] = '\0';
	} else if (strcmp(sent->sweep_to, s->sweep_after) > 0) {
		memcpy(s->sweep_after, sent->sweep_to, sizeof(s->sweep_after));
	}
}

void settle_own(struct node_sync *s, const struct push_page *sent, const struct push_answer *const *by_item,
	const struct page_end *end)
{
	struct position at = s->witness;

	if (s->cursor != at.seq)
		return;
	for (size_t i = 0; i < sent->n; i++) {
		if (!by_item[i] || by_item[i]->result != PUSH_APPLIED)
			continue;
		at.seq++;
		at.head = record_chain(at.head, at.seq, sent->items[i].record.id, sent->items[i].record.hash);
	}
	if (position_equal(at, end->to))
		s->cursor = at.seq;
}

void settle_change(const struct node_sync *now, struct node_sync *to)
{
	to->digest = now->digest;
	to->quarantined = now->quarantined;
	if (to->generation != now->generation)
		return;
	to->swept = now->swept;
	memcpy(to->sweep_after, now->sweep_after, sizeof(to->sweep_after));
}

/* --- answers to items --- */

static int compare_ids(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.at, b.at, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_items(const void *a, const void *b)
{
	const struct push_item *const *x = a, *const *y = b;

	return compare_ids((*x)->record.id, (*y)->record.id);
}

/* The items by their ids; made when an answer is not where it was expected.  free(). */
static const struct push_item **sort_items(const struct push_page *sent)
{
	const struct push_item **sorted = calloc(sent->n, sizeof(const struct push_item *));

	if (!sorted)
		err_out_of_memory();
	for (size_t i = 0; i < sent->n; i++)
		sorted[i] = &sent->items[i];
	qsort(sorted, sent->n, sizeof(const struct push_item *), compare_items);
	return sorted;
}

/* likely: an item; answers mostly come in the order of what was sent, and a local that mixes them up costs little more. */
static size_t item_of(
	const struct push_page *sent, struct span id, size_t likely, const struct push_item ***sorted)
{
	const struct push_item key = {.record.id = id}, *wanted = &key, *const * found;

	if (span_equal(sent->items[likely].record.id, id))
		return likely;
	if (!*sorted)
		*sorted = sort_items(sent);
	found = bsearch(&wanted, *sorted, sent->n, sizeof(const struct push_item *), compare_items);
	return found ? (size_t)(*found - sent->items) : sent->n;
}

static const char *wrong_with(const struct push_item *item, const struct push_answer *a)
{
	switch (a->result) {
	case PUSH_APPLIED:
	case PUSH_ALREADY:
		return hash_equal(a->hash, item->record.hash) ? NULL : "its hash is not the one sent";
	case PUSH_CONFLICT:
		return !a->has_record || span_equal(a->record.id, a->id) ? NULL : "it carries another record";
	case PUSH_REJECTED:
		return NULL;
	}
	return "no such result";
}

static enum err match(const struct push_page *sent, const struct push_answers *answers,
	const struct push_answer **ret, const struct push_item ***sorted, struct reason *why)
{
	for (size_t k = 0; k < answers->n; k++) {
		const struct push_answer *a = &answers->answers[k];
		size_t i = item_of(sent, a->id, k, sorted);
		const char *wrong;

		if (a->id.len == 0 && a->result == PUSH_REJECTED)
			continue; /* as many remain without an answer as came without an id */
		if (i == sent->n)
			return fail(INVALID, why, "an answer for %.*s, which was not pushed", (int)a->id.len,
				a->id.at);
		if (ret[i])
			return fail(INVALID, why, "two answers for %.*s", (int)a->id.len, a->id.at);
		wrong = wrong_with(&sent->items[i], a);
		if (wrong)
			return fail(INVALID, why, "the answer for %.*s: %s", (int)a->id.len, a->id.at, wrong);
		ret[i] = a;
	}
	return OK;
}

/* What it has no line for was applied; a line that names no id says which of the push it is. */
static enum err match_rest(const struct push_page *sent, const struct push_answers *answers,
	const struct push_answer **ret, struct reason *why)
{
	static const struct push_answer applied = {.result = PUSH_APPLIED};

	for (size_t k = 0; k < answers->n; k++) {
		const struct push_answer *a = &answers->answers[k];

		if (a->id.len > 0)
			continue;
		if (a->line == 0 || a->line > sent->n || ret[a->line - 1])
			return fail(
				INVALID, why, "an answer for line %zu, which is none of its own", a->line);
		ret[a->line - 1] = a;
	}
	for (size_t i = 0; i < sent->n; i++)
		if (!ret[i])
			ret[i] = &applied;
	return OK;
}

enum err settle_match(const struct push_page *sent, const struct push_answers *answers,
	const struct push_answer **ret, struct reason *why)
{
	const struct push_item **sorted = NULL;
	uint64_t unsaid = answers->end.brief ? answers->end.applied : 0;
	enum err e;

	memset(ret, 0, sent->n * sizeof(*ret));
	if (answers->n > sent->n || sent->n - answers->n != unsaid)
		return fail(INVALID, why, "%zu records were pushed and %llu answered", sent->n,
			(unsigned long long)answers->n + (unsigned long long)unsaid);
	e = match(sent, answers, ret, &sorted, why);
	if (e == OK && answers->end.brief)
		e = match_rest(sent, answers, ret, why);
	free(sorted);
	return e;
}

/* --- events --- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static struct event *next_event(
	struct event *ret, unsigned *n, const char *node, const char *kind, enum log_level level)
{
	struct event *ev = &ret[(*n)++];

	*ev = (struct event){.level = level, .kind = kind, .node = node};
	return ev;
}

#define TELL(ev, ...) ((void)fail(OK, &(ev)->text, __VA_ARGS__))

static void tell_conflicts(struct event *ret, unsigned *n, const char *node, uint64_t conflicts)
{
	if (conflicts > 0)
		TELL(next_event(ret, n, node, "conflict", LOG_WARN),
			"%llu record%s edited at both ends; the losing version%s kept under conflicts",
			(unsigned long long)conflicts, plural(conflicts), conflicts == 1 ? " is" : "s are");
}

static void tell_restored(struct event *ret, unsigned *n, const char *node, uint64_t restored)
{
	if (restored > 0)
		TELL(next_event(ret, n, node, "CENTRE_REWOUND", LOG_WARN),
			"%llu record%s edits of the centre that it no longer has: its store was put back to "
			"an older copy, or a second centre asks this node; they were taken back, and what it "
			"held is kept under conflicts",
			(unsigned long long)restored, restored == 1 ? " carries" : "s carry");
}

static void tell_quarantine(
	struct event *ret, unsigned *n, const char *node, const struct quarantine_moves *q)
{
	if (q->in > 0)
		TELL(next_event(ret, n, node, "quarantined", LOG_WARN),
			"%llu record%s put in quarantine, first %s: %.140s", (unsigned long long)q->in,
			plural(q->in), q->first, q->why.text);
	if (q->out > 0)
		TELL(next_event(ret, n, node, "released", LOG_INFO),
			"%llu record%s left quarantine: the node brought another version, or the store takes "
			"this one now",
			(unsigned long long)q->out, plural(q->out));
}

unsigned settle_pull_events(const struct pull_apply *p, struct event ret[SETTLE_EVENTS])
{
	unsigned n = 0;

	if (p->taken > 0)
		TELL(next_event(ret, &n, p->node, "pulled", LOG_INFO),
			"pulled %llu record%s, now at seq %llu", (unsigned long long)p->taken,
			plural(p->taken), (unsigned long long)p->page->end.to.seq);
	tell_quarantine(ret, &n, p->node, &p->quarantine);
	tell_conflicts(ret, &n, p->node, p->conflicts);
	tell_restored(ret, &n, p->node, p->centre_restored);
	if (p->proof == PROOF_DIVERGED)
		TELL(next_event(ret, &n, p->node, "DIVERGED", LOG_ERROR),
			"both ends summed their rows at seq %llu and still differ after everything was read "
			"again; nothing moves until an operator resumes the node",
			(unsigned long long)p->page->end.to.seq);
	return n;
}

/* A peer's text, short enough to stand whole in a sentence and never cut within a character. */
static struct span short_text(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && ((unsigned char)s.at[max] & 0xc0) == 0x80)
		max--;
	return (struct span){s.at, max};
}

void settle_digest_event(const struct digest_apply *p, struct event *ret)
{
	unsigned long long all = 1ULL << p->told->bits, found = p->apart.found;

	*ret = (struct event){.level = LOG_INFO, .kind = "compared", .node = p->node};
	switch (p->verdict) {
	case APART_NONE:
		TELL(ret, "compared %llu bucket%s: the node holds what it is believed to hold", all,
			plural(all));
		return;
	case APART_FEW:
		TELL(ret, "compared %llu bucket%s: %llu differ%s, with %llu record%s to be read", all,
			plural(all), found, found == 1 ? "s" : "", (unsigned long long)p->apart.records,
			plural(p->apart.records));
		return;
	case APART_FINER:
		TELL(ret, "compared %llu bucket%s: %llu differ%s; %llu smaller ones are compared", all,
			plural(all), found, found == 1 ? "s" : "", 1ULL << p->apart.bits);
		return;
	case APART_MUCH:
		TELL(ret, "compared %llu bucket%s: %llu differ%s, which is much; everything is read again",
			all, plural(all), found, found == 1 ? "s" : "");
		return;
	}
}

unsigned settle_push_events(
	const struct push_apply *p, const struct push_answer *rejection, struct event ret[SETTLE_EVENTS])
{
	uint64_t moved = p->applied + p->already;
	unsigned n = 0;

	if (moved > 0)
		TELL(next_event(ret, &n, p->node, "pushed", LOG_INFO), "pushed %llu record%s",
			(unsigned long long)moved, plural(moved));
	if (p->rejected > 0) {
		struct span id = rejection && rejection->id.len > 0 ? rejection->id : span_of("?");
		struct span cause = rejection ? short_text(rejection->reason, 80) : span_of("unreadable");

		TELL(next_event(ret, &n, p->node, "rejected", LOG_WARN),
			"the local rejected %llu record%s, first %.*s: %.*s", (unsigned long long)p->rejected,
			plural(p->rejected), (int)id.len, id.at, (int)cause.len, cause.at);
	}
	tell_quarantine(ret, &n, p->node, &p->quarantine);
	tell_conflicts(ret, &n, p->node, p->conflicts);
	tell_restored(ret, &n, p->node, p->centre_restored);
	return n;
}
