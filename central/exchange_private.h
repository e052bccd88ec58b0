/*
 * exchange_private - what the kinds of exchanges share; only for exchange*.c.
 */
#ifndef CENTRAL_EXCHANGE_PRIVATE_H
#define CENTRAL_EXCHANGE_PRIVATE_H

#include "central/exchange.h"

/* What an answer is, judged by its head alone: status, node, request, epoch. */
enum answer_kind {
	ANSWER_SERVED,        /* the answer to what was asked; still to be decoded */
	ANSWER_EPOCH_CHANGED, /* *now is the local's own epoch, another than the one asked for */
	ANSWER_REWOUND,
	ANSWER_UNABLE, /* DIGEST, FETCH: it refuses this call (out->why), and may well serve others */
	ANSWER_WRONG,  /* *out says what is wrong; nothing changes */
};
enum answer_kind exchange_read_answer(
	const struct exchange *x, const struct answer *a, struct epoch *now, struct outcome *out);

/* The epoch the request was made for. */
const struct epoch *exchange_asked_epoch(const struct exchange *x);
/* Nothing of a wrong answer counts.  What a peer wrote comes out as plain ASCII. */
void exchange_wrong(struct outcome *out, enum poll_result r, const char *fmt, ...) PRINTF(3, 4);
/* Of the events that were stored the log gets the worst, or the first of equals. */
void exchange_tell(struct outcome *out, const struct event *events, unsigned n);
/*
 * What the store said to an answer: stale and refused answers are outcomes (OK is returned),
 * a failed store is not.
 */
enum err exchange_settle(enum err e, struct outcome *out, struct reason *why);

enum err exchange_begin_pull(
	struct exchange *x, struct store *st, struct plan plan, const struct exchange_limits *limits);
enum err exchange_begin_push(
	struct exchange *x, struct store *st, const struct exchange_limits *limits, struct reason *why);
enum err exchange_begin_rename(struct exchange *x, struct store *st);
enum err exchange_begin_probe(struct exchange *x, struct store *st, struct reason *why);

/* Not a page of nothing but refused records, which says something of the node, not of them; else it is done. */
bool exchange_passes_any(struct page *page, struct outcome *out);
/* False: *out says what is wrong. */
bool exchange_decode_pull(
	const struct exchange *x, const struct answer *a, struct page *page, struct outcome *out);
void exchange_told_pull(const struct pull_apply *p, struct outcome *out);

enum err exchange_finish_push(struct exchange *x, struct store *st, const struct answer *a,
	struct outcome *out, struct reason *why);
enum err exchange_finish_renamed(struct exchange *x, struct store *st, const struct answer *a,
	struct outcome *out, struct reason *why);
/* Is it one of the two of a comparison by buckets? */
bool exchange_compares(const struct exchange *x);
enum err exchange_begin_digest(
	struct exchange *x, struct store *st, struct plan plan, const struct exchange_limits *limits);
enum err exchange_begin_fetch(
	struct exchange *x, struct store *st, struct plan plan, const struct exchange_limits *limits);
enum err exchange_finish_digest(struct exchange *x, struct store *st, const struct answer *a,
	struct outcome *out, struct reason *why);
bool exchange_decode_fetch(
	const struct exchange *x, const struct answer *a, struct page *page, struct outcome *out);
/* Refused: fewer buckets at once, or no comparison at all. */
enum err exchange_finish_unable(struct exchange *x, struct store *st, const struct answer *a,
	struct outcome *out, struct reason *why);
/* Does this failure speak against comparing, rather than of a node that is down? */
bool exchange_speaks_against(const struct exchange *x, enum poll_result r);
/* It failed; too often: no comparison at all. */
enum err exchange_finish_failed(
	struct exchange *x, struct store *st, struct outcome *out, struct reason *why);

/* Stores a decision with out->event. */
enum err exchange_move(struct exchange *x, struct store *st, const struct sync_change *change,
	struct outcome *out, struct reason *why);

bool exchange_decode_probe(const struct exchange *x, const struct answer *a, struct outcome *out);
enum err exchange_finish_probed(
	struct exchange *x, struct store *st, bool contains, struct outcome *out, struct reason *why);
enum err exchange_finish_epoch_changed(struct exchange *x, struct store *st, const struct epoch *now,
	struct outcome *out, struct reason *why);
enum err exchange_finish_rewound(
	struct exchange *x, struct store *st, struct outcome *out, struct reason *why);

#endif
