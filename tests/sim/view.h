/*
 * view - what a database holds, read straight from its tables: the oracle believes nothing else.
 */
#ifndef TESTS_SIM_VIEW_H
#define TESTS_SIM_VIEW_H

#include "shared/position.h"
#include "shared/version.h"
#include "tests/sim/database.h"

#define SITES_MAX 4
#define IDS_MAX 8

struct row {
	bool present;
	char type[16];
	bool deleted;
	struct dot dot;
	bool wide; /* its vector is full */
	struct hash hash;
	/* at a local: */
	uint64_t seq;
	struct hash head;
	/* at the centre: */
	bool local_known; /* local_hash is set, of whatever generation */
	struct hash local;
	uint64_t local_generation;
	int version; /* its place in the lineage; the oracle's to set */
};

/* The heads of places in the log whose rows have been overwritten. */
struct positions {
	struct position *at;
	size_t n, cap;
};

struct site_view {
	struct epoch epoch;
	struct position end;
	struct digest digest;
	struct row rows[IDS_MAX];
	struct positions positions;
};
void site_view_read(struct site_view *v, struct database *d);
void site_view_done(struct site_view *v);
bool site_view_has(
	const struct site_view *v, struct position p); /* is it in the log, as far as that is kept? */

struct archived {
	unsigned site, id;
	bool conflict; /* why: the loser of one; else put aside */
	int64_t number;
	struct row row;
};

/* A version of a local that the centre could not take. */
struct quarantined {
	unsigned site, id;
	int64_t number;
	struct hash hash;
	uint64_t generation;
	int version; /* the oracle's to set */
};
#define QUARANTINE_MAX 64

/* Events that need a cause. */
enum alarm { ALARM_WIPED, ALARM_REWOUND, ALARM_CLONED, ALARM_CENTRE_REWOUND, ALARM_DIVERGED };
#define ALARMS 5
extern const char *const alarm_names[ALARMS];

struct abandoned {
	unsigned site;
	struct epoch epoch;
	struct position witness;
};
#define ABANDONED_MAX 128

struct centre_view {
	struct {
		struct epoch epoch, rename_to, probe;
		uint64_t cursor, generation, resets;
		bool comparing;
		struct position witness;
		int halt;
		uint64_t quarantined; /* how many, as the node's row says */
		struct digest digest;
		struct row rows[IDS_MAX];
	} nodes[SITES_MAX];
	struct archived *archive;
	size_t n_archive, cap_archive;
	struct abandoned abandoned[ABANDONED_MAX];
	size_t n_abandoned;
	struct quarantined quarantine[QUARANTINE_MAX];
	size_t n_quarantine;
	int64_t last_event;
	unsigned told[SITES_MAX]; /* kinds of event since the view before, a bit each */
	uint64_t content;         /* a hash of everything: equal = nothing has changed */
};
/* Events are read from behind `last_event` of the view before. */
void centre_view_read(struct centre_view *v, struct database *d, int64_t last_event);
/* NULL: that epoch is not one that was left behind. */
const struct abandoned *centre_view_abandoned(
	const struct centre_view *v, unsigned site, const struct epoch *e);
/* Is the local known to hold it now? */
bool quarantined_held(const struct centre_view *v, const struct quarantined *q);
/* One that is held. */
bool centre_view_explains(const struct centre_view *v, unsigned site, unsigned id, struct hash h);
void centre_view_done(struct centre_view *v);

#endif
