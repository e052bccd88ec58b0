#include "central/api_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "central/clocks.h"
#include "central/sight.h"
#include "shared/clock.h"

/* Worst first. */
static const int rank_of[NODE_STATES] = {
	[NODE_IDENTITY_CONFLICT] = 0,
	[NODE_DIVERGED] = 1,
	[NODE_INCOMPATIBLE] = 2,
	[NODE_OFFLINE] = 3,
	[NODE_NEVER_SEEN] = 4,
	[NODE_RECONCILING] = 5,
	[NODE_CATCHING_UP] = 6,
	[NODE_PAUSED] = 7,
	[NODE_IN_SYNC] = 8,
};

/* --- one node --- */

static void put_identity(struct buf *out, const struct node_view *v)
{
	const struct node *n = &v->node;
	buf_printf(out, "{\"name\":\"%s\",\"title\":", n->name);
	buf_json_text(out, span_of(v->title));
	buf_text(out, ",\"url\":");
	buf_json_text(out, span_of(v->url));
	buf_printf(out, ",\"state\":\"%s\",\"since\":", node_state_name(v->state));
	buf_json_time(out, v->since_us);
	buf_text(out, ",\"reason\":");
	buf_json_text(out, span_of(v->reason.text));
	buf_text(out, ",\"next_attempt_at\":");
	buf_json_time(out, v->next_attempt_us);
	buf_printf(out, ",\"paused\":%s,", n->paused ? "true" : "false");
}

static void put_position(struct buf *out, const struct node_view *v)
{
	const struct node_sync *s = &v->node.sync;
	bool met = !epoch_is_none(&s->epoch);
	buf_text(out, "\"epoch\":");
	centre_put_text(out, s->epoch.hex);
	buf_text(out, ",\"cursor\":");
	centre_put_known(out, met, (int64_t)s->cursor);
	buf_text(out, ",\"head_seq\":");
	centre_put_known(out, v->run.heard, (int64_t)v->run.head_seq);
	buf_printf(out, ",\"records\":%llu,", (unsigned long long)s->digest.count);
}

static void put_proof(struct buf *out, const struct node_run *run)
{
	bool known = run->proof.known;
	buf_text(out, ",\"proof\":{\"equal\":");
	buf_text(out, !known ? "null" : run->proof.equal ? "true" : "false");
	buf_text(out, ",\"at\":");
	buf_json_time(out, known ? run->proof.at_us : -1);
	buf_text(out, ",\"age_s\":");
	centre_put_seconds(out, known ? (double)(clock_mono_us() - run->proof.mono_us) / 1e6 : -1);
	buf_text(out, ",\"seq\":");
	centre_put_known(out, known, (int64_t)run->proof.seq);
	buf_text(out, ",\"poll\":");
	centre_put_known(out, known, (int64_t)run->proof.poll);
	buf_text(out, ",\"count\":");
	centre_put_known(out, known, (int64_t)run->proof.digest.count);
	buf_text(out, ",\"digest\":");
	if (known)
		digest_encode(run->proof.digest, out);
	else
		buf_text(out, "null");
	buf_char(out, '}');
}

static void put_counted(struct buf *out, const struct node_run *run)
{
	bool known = run->counted.known;
	buf_text(out, ",\"counted\":{\"at\":");
	buf_json_time(out, known ? run->counted.at_us : -1);
	buf_text(out, ",\"poll\":");
	centre_put_known(out, known, (int64_t)run->counted.poll);
	buf_text(out, ",\"damaged\":");
	centre_put_known(out, known, (int64_t)run->counted.damaged);
	buf_text(out, ",\"first\":");
	centre_put_text(out, known ? node_trouble(run)->damaged : "");
	buf_char(out, '}');
}

/* The newest `most`. */
static void put_history(struct buf *out, const struct history *h, unsigned most)
{
	unsigned n = history_count(h), first = n > most ? n - most : 0;
	for (unsigned i = first; i < n; i++) {
		struct poll_seen p = history_get(h, i);
		buf_printf(out, "%s{\"at\":", i > first ? "," : "");
		buf_json_time(out, p.at_us);
		buf_printf(out, ",\"result\":\"%s\",\"ms\":%lld,\"pulled\":%llu,\"pushed\":%llu}",
			poll_result_name(p.result), (long long)p.ms, (unsigned long long)p.pulled,
			(unsigned long long)p.pushed);
	}
}

static void put_polls(struct buf *out, const struct node_run *run, const struct history *h, unsigned most)
{
	buf_printf(out, ",\"polls\":{\"begun\":%llu,\"ok\":%llu,\"failed\":%llu,\"last_ms\":",
		(unsigned long long)run->polls_begun, (unsigned long long)run->polls_ok,
		(unsigned long long)run->polls_failed);
	centre_put_known(out, run->polls_ok + run->polls_failed > 0 && run->last_ms >= 0, run->last_ms);
	buf_text(out, ",\"history\":[");
	put_history(out, h, most);
	buf_printf(out, "]},\"pulled\":%llu,\"pushed\":%llu", (unsigned long long)run->pulled,
		(unsigned long long)run->pushed);
}

static void put_unwell(struct buf *out, const struct sight *s)
{
	const char *comma = "";
	struct buf text = {0};
	buf_text(out, ",\"unwell\":[");
	for (int i = 0; i < AILMENTS; i++) {
		enum ailment a = (enum ailment)i;
		if (!(s->view->ailing & AILMENT_BIT(a)))
			continue;
		buf_clear(&text);
		outlook_say_ailment(&s->seen, a, &text);
		buf_text(out, comma);
		centre_put_ailment(out, a, s->view->ailing_since_us[a], buf_span(&text));
		comma = ",";
	}
	buf_char(out, ']');
	buf_done(&text);
}

/* What comes, and what somebody can do. */
static void put_outlook(struct buf *out, const struct sight *s)
{
	struct buf next = {0}, unblock = {0};
	outlook_next(&s->seen, &next);
	buf_text(out, ",\"next\":");
	buf_json_text(out, buf_span(&next));
	buf_text(out, ",\"unblock\":");
	if (outlook_unblock(&s->seen, &unblock))
		buf_json_text(out, buf_span(&unblock));
	else
		buf_text(out, "null");
	buf_done(&next);
	buf_done(&unblock);
}

static void put_count(struct buf *out, const char *name, const struct outlook_count *c)
{
	buf_printf(out, ",\"%s\":", name);
	centre_put_known(out, c->known, (int64_t)c->n);
}

static const char *const token_words[] = {
	[NODE_TOKEN_UNKNOWN] = "", [NODE_TOKEN_NEWEST] = "new", [NODE_TOKEN_BEFORE] = "old"};

/* What goes with a node. */
struct beside {
	const struct history *history;
	unsigned polls;                     /* of it, the newest */
	const struct owner_counts *counted; /* NULL: nothing yet */
};

/* All but the object's end.  *st becomes NULL when it fails: what it cannot say now is null. */
static void put_node(
	struct store **st, const struct node_view *v, const struct beside *beside, struct buf *out)
{
	struct sight s;
	sight_of(st, v, beside->counted, &s);
	put_identity(out, v);
	put_position(out, v);
	backlog_put(out, &s.backlog);
	buf_printf(out, ",\"rates\":{\"pull_s\":%.1f,\"push_s\":%.1f}", v->pull_s, v->push_s);
	put_proof(out, &v->run);
	put_counted(out, &v->run);
	clocks_put(out, &v->run);
	put_polls(out, &v->run, beside->history, beside->polls);
	put_count(out, "conflicts", &s.seen.conflicts);
	put_count(out, "rejected", &s.seen.rejected);
	put_count(out, "quarantined", &s.seen.quarantined);
	put_unwell(out, &s);
	put_outlook(out, &s);
	buf_text(out, ",\"token_taken\":");
	centre_put_text(out, token_words[v->run.token]);
	buf_text(out, ",\"version\":");
	centre_put_text(out, v->run.version);
}

void api_nodes_answer(struct centre *c, const char *name, int status, const char *extra, struct http_reply *r)
{
	struct store *st = c->store;
	struct node_view v;
	struct history h;
	if (!scheduler_view(c->scheduler, name, &v, &h)) {
		http_problem(r, "not_found", "there is no node %s", name);
		return;
	}
	put_node(&st, &v, &(struct beside){&h, HISTORY_MAX, NULL}, &r->body);
	history_done(&h);
	buf_text(&r->body, extra);
	buf_text(&r->body, "}\n");
	r->status = status;
}

void api_nodes_get(void *ctx, struct http_request *q, struct http_reply *r)
{
	char name[RECORD_OWNER_MAX + 1];
	if (centre_node_name(http_param(q, "name"), name, r))
		api_nodes_answer(ctx, name, 200, "", r);
}

/* --- the list --- */

/* What is asked for; the place after which it begins is "RANK.NAME", as `next` gave it. */
struct list_wish {
	bool by_name; /* else the worst first */
	bool by_state;
	enum node_state state;
	bool unwell; /* these alone */
	struct span q;
	int rank; /* -1: from the beginning */
	char name[RECORD_OWNER_MAX + 1];
	unsigned limit;
	unsigned polls; /* of each one's history */
};

static bool is_unwell(const struct node_glance *g)
{
	return g->ailing & OUTLOOK_AILING_LOUD;
}

/* Of those in step the unwell come first. */
static int rank(const struct list_wish *w, const struct node_glance *g)
{
	return w->by_name ? 0 : rank_of[g->state] + (g->state == NODE_IN_SYNC && !is_unwell(g));
}
#define RANKS 10

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Does the text hold the word somewhere, with the letters of ASCII in either case?  The empty word is in all. */
static bool has_word(const char *text, struct span word)
{
	for (;; text++) {
		size_t i = 0;
		while (i < word.len && text[i] && lower(text[i]) == lower(word.at[i]))
			i++;
		if (i == word.len)
			return true;
		if (!*text)
			return false;
	}
}

static bool is_wanted(const struct list_wish *w, const struct node_glance *g, int r)
{
	if ((w->by_state && g->state != w->state) || (w->unwell && !is_unwell(g)))
		return false;
	if (r < w->rank || (r == w->rank && strcmp(g->node->name, w->name) <= 0))
		return false;
	return has_word(g->node->name, w->q) || has_word(g->title, w->q);
}

/* One of the list, and what is counted of it: for all of a page at once, since a query a node would make it slow. */
struct pick {
	struct owner_counts counts;
	int rank;
	char name[RECORD_OWNER_MAX + 1];
};

/* They come by name, so each rank is in order already, and no more of it is kept than may be shown. */
struct picks {
	const struct list_wish *wish;
	struct pick *of[RANKS];
	size_t n[RANKS];
};

static void pick(void *ctx, const struct node_glance *g)
{
	struct picks *p = ctx;
	int r = rank(p->wish, g);
	if (p->n[r] > p->wish->limit || !is_wanted(p->wish, g, r))
		return;
	if (p->n[r] % 128 == 0) {
		p->of[r] = realloc(p->of[r], (p->n[r] + 128) * sizeof *p->of[r]);
		if (!p->of[r])
			err_out_of_memory();
	}
	struct pick *one = &p->of[r][p->n[r]++];
	*one = (struct pick){.rank = r, .counts.wanted = sight_wants(g->node, g->run, g->state)};
	memcpy(one->name, g->node->name, sizeof one->name);
}

/* In order; *ret_more: there are others after them. */
static size_t pick_all(struct scheduler *s, const struct list_wish *w, struct arena *arena, struct pick **ret,
	bool *ret_more)
{
	struct picks p = {.wish = w};
	size_t n = 0, left = 0;
	scheduler_each(s, pick, &p);
	*ret = arena_alloc(arena, w->limit * sizeof **ret);
	for (int r = 0; r < RANKS; r++) {
		size_t fit = p.n[r] < w->limit - n ? p.n[r] : w->limit - n;
		if (fit > 0)
			memcpy(*ret + n, p.of[r], fit * sizeof **ret);
		n += fit;
		left += p.n[r] - fit;
		free(p.of[r]);
	}
	*ret_more = left > 0;
	return n;
}

/* *st becomes NULL where it cannot say. */
static void count_all(struct store **st, struct pick *picks, size_t n, struct arena *arena)
{
	struct owner_counts *c = arena_alloc(arena, (n + 1) * sizeof *c);
	struct reason why;
	for (size_t i = 0; i < n; i++) {
		c[i] = picks[i].counts;
		c[i].owner = picks[i].name;
	}
	bool known = centre_knows(store_counts(*st, c, n, &why), &why);
	for (size_t i = 0; i < n; i++)
		picks[i].counts = known ? c[i] : (struct owner_counts){.owner = picks[i].name};
	if (!known)
		*st = NULL;
}

static void put_list(struct centre *c, const struct list_wish *w, struct arena *arena, struct buf *out)
{
	struct store *st = c->store;
	const char *comma = "";
	struct pick *picks;
	bool more;
	size_t n = pick_all(c->scheduler, w, arena, &picks, &more);
	count_all(&st, picks, n, arena);
	buf_text(out, "{\"nodes\":[");
	for (size_t i = 0; i < n; i++) {
		struct node_view v;
		struct history h = {.n = 0};
		if (!scheduler_view(c->scheduler, picks[i].name, &v, w->polls > 0 ? &h : NULL))
			continue; /* removed meanwhile */
		buf_text(out, comma);
		comma = ",";
		put_node(&st, &v, &(struct beside){&h, w->polls, &picks[i].counts}, out);
		history_done(&h);
		buf_char(out, '}');
	}
	buf_text(out, "],\"next\":");
	if (more)
		buf_printf(out, "\"%d.%s\"}\n", picks[n - 1].rank, picks[n - 1].name);
	else
		buf_text(out, "null}\n");
}

static bool read_place(struct span text, struct list_wish *w, struct http_reply *r)
{
	w->rank = -1;
	if (!text.at)
		return true;
	if (text.len < 3 || text.at[0] < '0' || text.at[0] > '9' || text.at[1] != '.' ||
		!record_owner_ok((struct span){text.at + 2, text.len - 2})) {
		http_problem(r, "bad_request", "after: not what `next` said");
		return false;
	}
	w->rank = text.at[0] - '0';
	memcpy(w->name, text.at + 2, text.len - 2);
	return true;
}

static bool read_unwell(struct span word, struct list_wish *w, struct http_reply *r)
{
	w->unwell = span_is(word, "true");
	if (!word.at || w->unwell || span_is(word, "false"))
		return true;
	http_problem(r, "bad_request", "unwell: true, for these alone, or false");
	return false;
}

static bool read_polls(struct span text, struct list_wish *w, struct http_reply *r)
{
	uint64_t n = HISTORY_MAX;
	if (text.at && !span_to_u64(text, HISTORY_MAX, &n)) {
		http_problem(r, "bad_request", "history: a whole number from 0 to %d", HISTORY_MAX);
		return false;
	}
	w->polls = (unsigned)n;
	return true;
}

static bool read_wish(const struct http_request *q, struct list_wish *w, struct http_reply *r)
{
	struct span order = http_query(q, "order"), state = http_query(q, "state");
	w->q = http_query(q, "q");
	w->by_name = span_is(order, "name");
	w->by_state = state.at;
	if (order.at && !w->by_name && !span_is(order, "worst")) {
		http_problem(r, "bad_request", "order: worst or name");
		return false;
	}
	if (state.at && !node_state_parse(state, &w->state)) {
		http_problem(r, "bad_request", "state: not one of the states of a node");
		return false;
	}
	return read_unwell(http_query(q, "unwell"), w, r) && read_polls(http_query(q, "history"), w, r) &&
	       centre_limit(q, &w->limit, r) && read_place(http_query(q, "after"), w, r);
}

void api_nodes_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct list_wish w = {.rank = -1};
	if (!read_wish(q, &w, r) || !http_may_be_large(q, r))
		return;
	put_list(ctx, &w, &q->arena, &r->body);
	r->status = 200;
}
