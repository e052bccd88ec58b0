/*
 * world - the whole system in one process: a centre, its locals, and what is on its way between them.
 *
 * Everything below the wire is the real program: plan, exchanges and store at the centre,
 * router, handlers and replica at a local.  The world only carries bytes, breaks things and
 * lets the oracle look after each step.  A failure ends the process.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "central/exchange.h"
#include "local/routes.h"
#include "tests/sim/lineage.h"
#include "tests/sim/view.h"

enum fault {
	FAULT_LOST = 1,      /* a request or an answer never comes */
	FAULT_TWICE = 2,     /* a request comes twice, at once */
	FAULT_STALE = 4,     /* a request comes again much later; an old answer is offered to a new request */
	FAULT_LATE = 8,      /* an exchange is given up, and its answer comes after all */
	FAULT_CUT = 16,      /* an answer ends early */
	FAULT_CRASH = 32,    /* a process ends between two transactions */
	FAULT_COMMIT = 64,   /* a commit fails, or its outcome is not known */
	FAULT_WIPE = 128,    /* a local's database is new and empty */
	FAULT_RESTORE = 256, /* a local's database is an old copy */
	FAULT_CRESTORE = 512, /* the centre's is */
	FAULT_CLONE = 2048,   /* two copies of a local answer in turn */
	FAULT_VANISH = 1024,  /* a record vanishes from a database, its digest with it */
};
#define FAULTS_ALL 4095u
#define FAULTS_ACCIDENT ((unsigned)(FAULT_WIPE | FAULT_RESTORE | FAULT_CRESTORE | FAULT_VANISH | FAULT_CLONE))

struct rules {
	unsigned sites, ids, faults;
	unsigned page;       /* records a page */
	unsigned page_bytes; /* of a pull */
	enum merge_policy policy;
	uint64_t positions_kept;
};

/* An exchange on its way. */
struct flight {
	struct exchange *x; /* NULL: none */
	unsigned life;      /* of the centre, when it was sent */
	bool answered;
	int status;
	struct buf body;
};

/* What was sent and answered before. */
struct past {
	struct epoch request;
	unsigned life; /* of the centre */
	enum http_method method;
	struct buf target, body;
	int status; /* 0: never answered */
	struct buf answer;
};
#define PASTS 12
#define COPIES 4

struct site {
	unsigned place;
	char name[12];
	struct database db;
	struct replica *replica;
	struct writer *writer;
	struct local local;
	struct router router;
	struct site_view view;
	struct copy copies[COPIES], twin; /* twin: a clone that answers in its place now and then */
	bool wiped, restored, damaged;    /* has it ever been? */
	bool disturbed;                   /* an accident here or at the centre since the last healing */
	bool lost; /* a record vanished since then: twice the same would rightly be given up */
	/* the centre's side */
	struct node_run run;
	struct flight flight, late;
	struct past pasts[PASTS];
	unsigned n_pasts;
};

struct world {
	struct rules rules;
	struct site sites[SITES_MAX];
	struct database db;
	struct store *store;
	struct centre_view view;
	struct copy copies[COPIES];
	bool restored, damaged; /* has the centre ever been? */
	unsigned life;          /* how often it was restored */
	struct lineage lineage;
	unsigned writes; /* numbers them: the type of what write 12 made is "w12" */
	unsigned step;
	bool quiet;         /* nothing may be written any more */
	const char *replay; /* the command that runs this seed alone */
	uint64_t seed;
	/* what came about, for the summary */
	struct tally {
		uint64_t exchanges, applied, stale, resets, merges, archived, ghosts, promoted, halts, doubts,
			accidents, broken, heals, most_turns;
	} tally;
};

void world_init(struct world *w, const struct rules *rules, uint64_t seed, const char *replay);
void world_done(struct world *w);

/* Says why, shows the trace and the command that replays it, and exits 1. */
void world_fail(struct world *w, const char *fmt, ...) PRINTF(2, 3) __attribute__((noreturn));

/* Processes: everything they had in memory is gone when they stop. */
void site_start(struct world *w, struct site *s);
void site_stop(struct site *s);
void centre_start(struct world *w);
void centre_stop(struct world *w);

#endif
