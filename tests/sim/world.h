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
	FAULT_CLOCK = 4096,   /* a wall clock jumps, at either end */
	FAULT_DELAY = 8192,   /* nothing happens for minutes or days */
	FAULT_ASTRAY = 16384, /* a request reaches another node than it was for */
	FAULT_POISON = 32768, /* the centre's database refuses some records */
};
#define FAULTS_ALL 65535u
#define FAULTS_ACCIDENT ((unsigned)(FAULT_WIPE | FAULT_RESTORE | FAULT_CRESTORE | FAULT_VANISH | FAULT_CLONE))

/*
 * safety: faults to the end, and what must hold holds after each step.  liveness: besides, the faults stop now and
 * then and at the end, and the system must come to rest by itself, be right, and stay at rest.
 */
enum mode { MODE_SAFETY, MODE_LIVENESS };

struct rules {
	enum mode mode;
	bool postgres; /* the centre's store */
	unsigned sites, ids, faults;
	unsigned page;       /* records a page */
	unsigned page_bytes; /* of a pull */
	unsigned bucket_records;
	enum merge_policy policy;
	uint64_t positions_kept;
};

/* An exchange on its way. */
struct flight {
	struct exchange *x; /* NULL: none */
	unsigned life;      /* of the centre, when it was sent */
	bool answered;
	bool astray; /* and by another node than was asked */
	int status;
	struct buf body;
	/* when it was answered: */
	unsigned accidents; /* of the site */
	struct {
		bool any;
		struct hash hash;
	} held[IDS_MAX]; /* what it had then */
};

/* What was sent and answered before: the last ones, and some of any age. */
struct past {
	struct epoch request;
	unsigned life; /* of the centre */
	enum http_method method;
	struct buf target, body;
	int status; /* 0: never answered */
	struct buf answer;
};
#define PASTS_NEW 12
#define PASTS 24
#define LATES 3
#define INTERVAL_MS 1000 /* between polls */

/* How often at most, by one cause.  Merges: with what an edit met on its way, with what was written after it, and with what
 * comes out of quarantine. */
#define RESETS_MAX 4
#define MERGES_MAX 3
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
	/* an accident here or at the centre since both ends were proven equal */
	bool disturbed;
	bool lost; /* a record vanished since then: twice the same would rightly be given up */
	/* since then a copy was put back while the centre read: a record that stood later in the log stands before what was
	 * read, and is found by the proof alone */
	bool passed_over;
	unsigned accidents; /* here or at the centre */
	/* since the last of them, or what else may cause one; merges: also since the last write of that record */
	unsigned resets, merges[IDS_MAX];
	int64_t clock_off_us;
	/* the centre's side */
	struct node_run run;
	struct flight flight, lates[LATES];
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
	bool touched;           /* has another program written into its database while it ran? */
	bool poison;            /* does its database refuse some types? */
	unsigned life;          /* how often it was restored */
	int64_t clock_off_us;
	struct lineage lineage;
	unsigned writes; /* numbers them: the type of what write 12 made is "w12" */
	unsigned step;
	bool quiet;         /* nothing may be written any more */
	const char *replay; /* the command that runs this seed alone */
	uint64_t seed;
	/* what came about, for the summary */
	struct tally {
		uint64_t exchanges, applied, stale, resets, compared, fetched, reread, merges, archived,
			ghosts, promoted, halts, doubts, accidents, broken, heals, proofs, quarantined,
			most_turns, most_resets, most_merges;
	} tally;
};

void world_init(struct world *w, const struct rules *rules, uint64_t seed, const char *replay);
void world_done(struct world *w);

/* Says why, shows the trace and the command that replays it, and exits 1. */
void world_fail(const struct world *w, const char *fmt, ...) PRINTF(2, 3) __attribute__((noreturn));

/* Processes: everything they had in memory is gone when they stop. */
void site_start(struct world *w, struct site *s);
void site_stop(struct site *s);
void centre_start(struct world *w);
void centre_stop(struct world *w);

#endif
