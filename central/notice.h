/*
 * notice - what receivers of notifications are told: which events, and in which words.
 *
 * Pure: knows neither the store nor how a message travels.
 */
#ifndef CENTRAL_NOTICE_H
#define CENTRAL_NOTICE_H

#include "central/node.h"
#include "shared/ailment.h"
#include "shared/arena.h"
#include "shared/log.h"

#define NOTICE_BATCH_MAX 100      /* of one message */
#define NOTICE_LINES_MAX 20       /* of a message's text */
#define NOTICE_TEST "notify.test" /* the kind of an event that an operator asked for */

/* An event, as it stands in the store. */
struct notice {
	uint64_t id; /* the event's */
	int64_t at_us;
	enum log_level level;
	const char *kind, *node, *text; /* node NULL: of the centre */
};
struct notices {
	struct notice *at; /* by rising id */
	size_t n;
	struct arena arena;
};
void notices_done(struct notices *ns);

enum notice_want {
	NOTICE_NO,
	NOTICE_YES,
	NOTICE_IF_TROUBLED, /* the end of trouble: wanted where the node's last notice of its state told of some */
};
/* What becomes of an event when `least` and worse is told. */
enum notice_want notice_want(enum log_level least, enum log_level level, const char *kind, struct span text);
/* Does the text of a change of state tell of trouble, that is of anything but in_sync? */
bool notice_troubled(struct span text);

/* One message.  `delivery` is the same whenever the same batch is sent again. */
struct notice_message {
	const char *delivery; /* of all centres' */
	const char *centre;   /* its id */
	const char *url;      /* where it serves */
	int64_t at_us;        /* of this attempt */
	uint64_t attempt;     /* 1 = the first */
	uint64_t dropped;     /* notices that went by before the receiver took them */
	const struct notices *notices;
};
/* One line without its end: what it is about. */
void notice_put_subject(const struct notice_message *m, struct buf *out);
/* A line each, for people. */
void notice_put_text(const struct notice_message *m, struct buf *out);
/* One JSON object and a line end (documented in deploy/guide/notifications.md). */
void notice_put_json(const struct notice_message *m, struct buf *out);

#endif
