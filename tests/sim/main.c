/*
 * sim - runs worlds, one a seed, until one fails.  See tests/README.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/log.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/steps.h"
#include "tests/sim/trace.h"

struct wish {
	uint64_t first, seeds;
	unsigned steps, sites, faults;
	bool trace, twice;
	const char *faults_text;
};

static const struct {
	const char *name;
	unsigned fault;
} fault_names[] = {
	{"lost", FAULT_LOST},
	{"twice", FAULT_TWICE},
	{"stale", FAULT_STALE},
	{"late", FAULT_LATE},
	{"cut", FAULT_CUT},
	{"crash", FAULT_CRASH},
	{"commit", FAULT_COMMIT},
	{"wipe", FAULT_WIPE},
	{"restore", FAULT_RESTORE},
	{"centre-restore", FAULT_CRESTORE},
	{"vanish", FAULT_VANISH},
	{"clone", FAULT_CLONE},
	{"all", FAULTS_ALL},
	{"none", 0},
};

static const char usage[] =
	"usage: sim [--seeds N] [--seed S] [--steps K] [--sites N] [--faults LIST] [--trace] [--twice]\n"
	"  --seeds N      worlds to run, from seed 1 on (1000)\n"
	"  --seed S       the first seed; alone: only this one\n"
	"  --steps K      random steps a world (200)\n"
	"  --sites N      locals in a world, 1 to 4 (2)\n"
	"  --faults LIST  lost,twice,stale,late,cut,crash,commit,wipe,restore,centre-restore; all, none "
	"(all);\n"
	"                 each world takes some of them\n"
	"  --trace        print what happens\n"
	"  --twice        run each world twice and compare their traces\n";

/* So that a failed assertion shows how it came about. */
static const struct world *running;

static void died(int signal)
{
	fprintf(stderr, "\n");
	trace_show(stderr);
	fprintf(stderr, "seed %" PRIu64 ", step %u: the program ended by signal %d\nagain: %s\n",
		running->seed, running->step, signal, running->replay);
	_exit(1);
}

static void refuse(const char *what)
{
	fprintf(stderr, "sim: %s\n%s", what, usage);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end = NULL;
	unsigned long long n;

	errno = 0;
	n = text == NULL ? 0 : strtoull(text, &end, 10);
	if (text == NULL || end == text || *end != '\0' || errno != 0)
		refuse("a number is missing");
	return n;
}

static unsigned fault_list(const char *text)
{
	unsigned faults = 0;

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ","), i = 0;

		while (i < sizeof fault_names / sizeof fault_names[0] &&
			(strlen(fault_names[i].name) != len || strncmp(fault_names[i].name, text, len) != 0))
			i++;
		if (i == sizeof fault_names / sizeof fault_names[0])
			refuse("an unknown fault");
		faults |= fault_names[i].fault;
		text += len + (text[len] == ',');
	}
	return faults;
}

static struct wish read_wish(char **arg)
{
	struct wish r = {
		.first = 0, .seeds = 0, .steps = 200, .sites = 2, .faults = FAULTS_ALL, .faults_text = "all"};

	for (arg++; *arg != NULL; arg++) {
		if (strcmp(*arg, "--trace") == 0)
			r.trace = true;
		else if (strcmp(*arg, "--twice") == 0)
			r.twice = true;
		else if (strcmp(*arg, "--seeds") == 0)
			r.seeds = number(*++arg);
		else if (strcmp(*arg, "--seed") == 0)
			r.first = number(*++arg);
		else if (strcmp(*arg, "--steps") == 0)
			r.steps = (unsigned)number(*++arg);
		else if (strcmp(*arg, "--sites") == 0)
			r.sites = (unsigned)number(*++arg);
		else if (strcmp(*arg, "--faults") == 0)
			r.faults = fault_list(r.faults_text = *++arg);
		else
			refuse("an unknown argument");
		if (*arg == NULL)
			refuse("a value is missing");
	}
	if (r.seeds == 0)
		r.seeds = r.first > 0 ? 1 : 1000;
	if (r.first == 0)
		r.first = 1;
	if (r.sites == 0 || r.sites > SITES_MAX)
		refuse("--sites is not 1 to 4");
	return r;
}

/* Each world has its own size, policy and mixture of faults; a third of them no accident at all. */
static struct rules rules_of(const struct wish *wish, uint64_t seed)
{
	struct rules r = {.sites = wish->sites};

	stand_in_begin(~seed);
	r.ids = 2 + chance_below(2);
	r.page = 1 + chance_below(3);
	r.page_bytes = chance_percent(80) ? PAGE_BYTES_DEFAULT : 300 + chance_below(600);
	r.policy = chance_percent(70) ? POLICY_OWNER : POLICY_CENTRE;
	r.positions_kept = 1 + chance_below(8);
	r.faults = wish->faults & ((unsigned)chance_u64() | (unsigned)chance_u64());
	if (chance_percent(33))
		r.faults &= ~FAULTS_ACCIDENT;
	return r;
}

static void add(struct tally *sum, const struct tally *t)
{
	sum->exchanges += t->exchanges;
	sum->applied += t->applied;
	sum->stale += t->stale;
	sum->resets += t->resets;
	sum->merges += t->merges;
	sum->archived += t->archived;
	sum->ghosts += t->ghosts;
	sum->promoted += t->promoted;
	sum->halts += t->halts;
	sum->doubts += t->doubts;
	sum->accidents += t->accidents;
	sum->broken += t->broken;
	sum->heals += t->heals;
	if (t->most_turns > sum->most_turns)
		sum->most_turns = t->most_turns;
}

static uint64_t run(const struct wish *wish, uint64_t seed, struct tally *sum)
{
	static struct world w;
	struct rules rules = rules_of(wish, seed);
	char replay[200];

	snprintf(replay, sizeof replay, "sim --seed %" PRIu64 " --steps %u --sites %u --faults %s", seed,
		wish->steps, wish->sites, wish->faults_text);
	running = &w;
	trace_begin(wish->trace ? stdout : NULL);
	world_init(&w, &rules, seed, replay);
	steps_run(&w, wish->steps);
	world_done(&w);
	if (sum != NULL)
		add(sum, &w.tally);
	return trace_hash();
}

int main(int argc, char **argv)
{
	struct wish wish = read_wish(argv);
	struct tally sum = {0};
	uint64_t all = 0;

	(void)argc;
	log_init(LOG_ERROR, 0);
	signal(SIGABRT, died);
	signal(SIGSEGV, died);
	for (uint64_t i = 0; i < wish.seeds; i++) {
		uint64_t seed = wish.first + i, hash = run(&wish, seed, &sum);

		if (wish.twice && run(&wish, seed, NULL) != hash) {
			fprintf(stderr, "seed %" PRIu64 " does not repeat itself\n", seed);
			return 1;
		}
		all = all * 31 + hash;
		if ((i + 1) % 100 == 0)
			printf("%" PRIu64 " seeds\n", i + 1);
		fflush(stdout);
	}
	printf("%" PRIu64 " seeds of %u steps held, trace %016" PRIx64 "\n", wish.seeds, wish.steps, all);
	printf("exchanges %" PRIu64 ", applied %" PRIu64 ", stale %" PRIu64 ", accidents %" PRIu64
	       ", resets %" PRIu64 ", merges %" PRIu64 ", archived %" PRIu64 ", ghosts %" PRIu64
	       ", promoted %" PRIu64 ", halts %" PRIu64 ", doubts %" PRIu64 ", broken %" PRIu64
	       ", heals %" PRIu64 " of at most %" PRIu64 " turns\n",
		sum.exchanges, sum.applied, sum.stale, sum.accidents, sum.resets, sum.merges, sum.archived,
		sum.ghosts, sum.promoted, sum.halts, sum.doubts, sum.broken, sum.heals, sum.most_turns);
	return 0;
}
