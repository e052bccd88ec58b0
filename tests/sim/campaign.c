#include "tests/sim/campaign.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/shrink.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/steps.h"
#include "tests/sim/trace.h"

/* So that a failed assertion shows how it came about. */
static const struct world *running;

static void died(int number)
{
	struct sigaction as_usual = {.sa_handler = SIG_DFL};

	sigaction(SIGABRT, &as_usual, NULL);
	sigaction(SIGSEGV, &as_usual, NULL);
	fprintf(stderr, "\n");
	trace_show(stderr);
	fprintf(stderr, "seed %" PRIu64 ", step %u: the program ended by signal %d\nagain: %s\n",
		running->seed, running->step, number, running->replay);
	exit(1); /* so that what was made in PostgreSQL is dropped */
}

/* --- one world --- */

/* Each world has its own size, policy and mixture of faults; a third of them no accident at all. */
static struct rules rules_of(const struct wish *w, enum mode mode, uint64_t seed)
{
	struct rules r = {.mode = mode, .sites = w->sites, .postgres = w->postgres};

	stand_in_begin(~seed);
	r.ids = 2 + chance_below(chance_percent(75) ? 2 : 5);
	r.page = 1 + chance_below(3);
	r.page_bytes = chance_percent(80) ? PAGE_BYTES_DEFAULT : 300 + chance_below(600);
	r.bucket_records = chance_percent(80) ? 1 : 2;
	r.policy = chance_percent(70) ? POLICY_OWNER : POLICY_CENTRE;
	r.positions_kept = 1 + chance_below(8);
	r.faults = w->faults & ((unsigned)chance_u64() | (unsigned)chance_u64());
	if (chance_percent(33))
		r.faults &= ~FAULTS_ACCIDENT;
	return r;
}

static void add(struct tally *sum, const struct tally *t)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)t;

	for (size_t i = 0; i < offsetof(struct tally, most_turns) / sizeof *to; i++)
		to[i] += from[i];
	for (size_t i = offsetof(struct tally, most_turns) / sizeof *to; i < sizeof *t / sizeof *to; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

uint64_t campaign_world(const struct wish *wish, enum mode mode, uint64_t seed, struct tally *sum)
{
	static struct world w;
	static char replay[REPLAY_MAX];
	struct rules rules = rules_of(wish, mode, seed);

	wish_write(wish, mode, seed, replay, sizeof replay);
	running = &w;
	signal(SIGABRT, died);
	signal(SIGSEGV, died);
	trace_begin(wish->trace ? stdout : NULL);
	world_init(&w, &rules, seed, replay);
	steps_run(&w, wish->steps, &wish->left_out);
	world_done(&w);
	if (sum != NULL)
		add(sum, &w.tally);
	return trace_hash();
}

static bool has_jumping_clocks(const struct wish *w, enum mode mode, uint64_t seed)
{
	return (rules_of(w, mode, seed).faults & FAULT_CLOCK) != 0;
}

uint64_t campaign_compare(const struct wish *w, enum mode mode, uint64_t seed, struct tally *sum)
{
	uint64_t hash = campaign_world(w, mode, seed, sum);
	bool clocks = (w->clocks || seed % 10 == 0) && has_jumping_clocks(w, mode, seed);
	struct wish quietly = *w;

	quietly.trace = false;
	if (w->twice && campaign_world(&quietly, mode, seed, NULL) != hash)
		world_fail(running, "it does not repeat itself (--twice)");
	clocks_are_right(true);
	if (clocks && campaign_world(&quietly, mode, seed, NULL) != hash)
		world_fail(running, "with all clocks right it goes another way (--clocks)");
	clocks_are_right(false);
	return hash;
}

/* --- many --- */

/* What the processes tell each other. */
struct job {
	uint64_t seed; /* that it is at */
	enum mode mode;
	uint64_t hash, worlds;
	struct tally sum;
};

/* The first world that failed: no process needs to go beyond it. */
struct board {
	struct job jobs[JOBS_MAX];
	volatile uint64_t failed; /* UINT64_MAX = none */
};

static void work(const struct wish *w, struct board *b, unsigned place)
{
	struct job *j = &b->jobs[place];

	for (uint64_t i = place; i < w->seeds && w->first + i <= b->failed; i += w->jobs) {
		for (unsigned m = 0; m < 2; m++) {
			if (!w->modes[m])
				continue;
			j->seed = w->first + i;
			j->mode = (enum mode)m;
			/* in whatever order they come */
			j->hash += campaign_compare(w, j->mode, j->seed, &j->sum) * (2 * j->seed + 1);
			j->worlds++;
		}
		if (place == 0 && (i / w->jobs + 1) % (200 / w->jobs) == 0)
			fprintf(stderr, "%" PRIu64 " seeds\n", i + w->jobs);
	}
}

static pid_t start(const struct wish *w, struct board *b, unsigned place)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("sim: fork");
		exit(1);
	}
	if (child > 0)
		return child;
	if (!w->trace && freopen("/dev/null", "w", stderr) == NULL)
		_exit(3);
	work(w, b, place);
	exit(0);
}

static void wait_for(const struct wish *w, struct board *b, const pid_t *children)
{
	for (unsigned left = w->jobs; left > 0; left--) {
		int status = 0;
		pid_t child = wait(&status);

		for (unsigned i = 0; i < w->jobs; i++)
			if (children[i] == child && status != 0 && b->jobs[i].seed < b->failed)
				b->failed = b->jobs[i].seed;
	}
}

static void tell(const struct wish *w, const struct board *b)
{
	struct job all = {0};
	const struct tally *t = &all.sum;

	for (unsigned i = 0; i < w->jobs; i++) {
		all.worlds += b->jobs[i].worlds;
		all.hash += b->jobs[i].hash;
		add(&all.sum, &b->jobs[i].sum);
	}
	printf("%" PRIu64 " worlds of %u steps held, trace %016" PRIx64 "\n", all.worlds, w->steps, all.hash);
	printf("exchanges %" PRIu64 ", applied %" PRIu64 ", stale %" PRIu64 ", broken %" PRIu64
	       ", accidents %" PRIu64 ", resets %" PRIu64 " (at most %" PRIu64
	       " by one cause), compared %" PRIu64 ", fetched %" PRIu64 ", reread %" PRIu64
	       ", merges %" PRIu64 " (%" PRIu64 "), archived %" PRIu64 ", promoted %" PRIu64
	       ", quarantined %" PRIu64 ", halts %" PRIu64 ", doubts %" PRIu64 ", ghosts %" PRIu64
	       ", proofs %" PRIu64 ", heals %" PRIu64 " (at most %" PRIu64 " exchanges)\n",
		t->exchanges, t->applied, t->stale, t->broken, t->accidents, t->resets, t->most_resets,
		t->compared, t->fetched, t->reread, t->merges, t->most_merges, t->archived, t->promoted,
		t->quarantined, t->halts, t->doubts, t->ghosts, t->proofs, t->heals, t->most_turns);
}

/* In this process and aloud, so that the failure is the last word. */
static int show(const struct wish *w, const struct job *j)
{
	struct wish one = *w;

	if (w->shrink)
		shrink(&one, j->mode, j->seed);
	(void)campaign_compare(&one, j->mode, j->seed, NULL);
	fprintf(stderr, "seed %" PRIu64 " failed in a process of its own and not when it was repeated\n",
		j->seed);
	return 1;
}

int campaign_run(const struct wish *w)
{
	struct board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[JOBS_MAX];
	struct job *first = NULL;

	assert(b != MAP_FAILED);
	b->failed = UINT64_MAX;
	if (w->jobs == 1 && !w->shrink) {
		work(w, b, 0);
	} else {
		for (unsigned i = 0; i < w->jobs; i++)
			children[i] = start(w, b, i);
		wait_for(w, b, children);
	}
	for (unsigned i = 0; i < w->jobs; i++)
		if (b->failed == b->jobs[i].seed)
			first = &b->jobs[i];
	if (b->failed != UINT64_MAX)
		return show(w, first);
	tell(w, b);
	return 0;
}
