#include "tests/sim/wish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned fault;
} fault_names[] = {
	{"lost", FAULT_LOST},
	{"twice", FAULT_TWICE},
	{"stale", FAULT_STALE},
	{"late", FAULT_LATE},
	{"astray", FAULT_ASTRAY},
	{"delay", FAULT_DELAY},
	{"cut", FAULT_CUT},
	{"crash", FAULT_CRASH},
	{"commit", FAULT_COMMIT},
	{"clock", FAULT_CLOCK},
	{"wipe", FAULT_WIPE},
	{"restore", FAULT_RESTORE},
	{"centre-restore", FAULT_CRESTORE},
	{"vanish", FAULT_VANISH},
	{"clone", FAULT_CLONE},
	{"poison", FAULT_POISON},
	{"all", FAULTS_ALL},
	{"none", 0},
};

static const char usage[] =
	"usage: sim [OPTION...]\n"
	"  --seeds N      worlds to run in each mode, from seed 1 on (1000)\n"
	"  --seed S       the first seed; alone: only this one\n"
	"  --mode M       safety: faults to the end; liveness: they stop, and the system must come to rest "
	"and\n"
	"                 be right; or both (both)\n"
	"  --centre KIND  the centre's store: sqlite, or postgres in databases made at "
	"TIDEMARK_TEST_POSTGRES "
	"(sqlite)\n"
	"  --steps K      random steps a world, up to 4095 (200)\n"
	"  --sites N      locals in a world, 1 to 4 (2)\n"
	"  --faults LIST  lost, twice, stale, late, astray, delay, cut, crash, commit, clock, wipe, "
	"restore,\n"
	"                 centre-restore, vanish, clone, poison; all, none (all); each world takes some of "
	"them\n"
	"  --jobs N       processes that share the seeds (one for each processor)\n"
	"  --only LIST    of the steps only these: 3,9-12\n"
	"  --trace        print what happens\n"
	"  --twice        run each world twice and compare their traces\n"
	"  --clocks       run each world again with all clocks right: nothing may depend on them (every "
	"tenth "
	"world\n"
	"                 that has jumping clocks is run so anyway)\n"
	"  --shrink       leave out steps of the world that fails as long as it fails in the same way\n"
	"Exit status: 0 all held, 1 a world failed, 2 usage.\n";

static void refuse(const char *what)
{
	fprintf(stderr, "sim: %s\n%s", what, usage);
	exit(2);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	char *end = NULL;
	unsigned long long n;

	errno = 0;
	n = text == NULL ? 0 : strtoull(text, &end, 10);
	if (text == NULL || end == text || *end != '\0' || errno != 0 || n < least || n > most)
		refuse("a number is missing or out of its range");
	return n;
}

static unsigned fault_list(const char *text)
{
	unsigned faults = 0;

	while (*text != '\0') {
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

const char *wish_mode_name(enum mode mode)
{
	return mode == MODE_SAFETY ? "safety" : "liveness";
}

static void read_modes(struct wish *w, const char *text)
{
	bool both = strcmp(text, "both") == 0, any = false;

	for (unsigned m = 0; m < 2; m++)
		any |= w->modes[m] = both || strcmp(text, wish_mode_name((enum mode)m)) == 0;
	if (!any)
		refuse("an unknown mode");
}

static void read_only(struct wish *w, const char *text)
{
	struct choice only = {0};

	if (!choice_read(&only, text))
		refuse("--only is not a list of steps");
	for (unsigned i = 1; i < CHOICE_MAX; i++)
		choice_put(&w->left_out, i, i, !choice_has(&only, i));
}

static bool read_flag(struct wish *w, const char *arg)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {{"--trace", &w->trace}, {"--twice", &w->twice}, {"--clocks", &w->clocks},
		{"--shrink", &w->shrink}};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (strcmp(arg, flags[i].name) == 0) {
			*flags[i].flag = true;
			return true;
		}
	return false;
}

static void read_value(struct wish *w, const char *name, const char *value)
{
	if (value == NULL)
		refuse("a value is missing, or an argument unknown");
	if (strcmp(name, "--seeds") == 0)
		w->seeds = number(value, 1, UINT32_MAX);
	else if (strcmp(name, "--seed") == 0)
		w->first = number(value, 1, INT64_MAX);
	else if (strcmp(name, "--steps") == 0)
		w->steps = (unsigned)number(value, 1, CHOICE_MAX - 1);
	else if (strcmp(name, "--sites") == 0)
		w->sites = (unsigned)number(value, 1, SITES_MAX);
	else if (strcmp(name, "--jobs") == 0)
		w->jobs = (unsigned)number(value, 1, JOBS_MAX);
	else if (strcmp(name, "--mode") == 0)
		read_modes(w, value);
	else if (strcmp(name, "--only") == 0)
		read_only(w, value);
	else if (strcmp(name, "--faults") == 0)
		w->faults = fault_list(w->faults_text = value);
	else if (strcmp(name, "--centre") == 0 &&
		 (strcmp(value, "sqlite") == 0 || strcmp(value, "postgres") == 0))
		w->postgres = value[0] == 'p';
	else
		refuse("an unknown argument");
}

struct wish wish_read(char **arg)
{
	struct wish w = {
		.steps = 200, .sites = 2, .faults = FAULTS_ALL, .faults_text = "all", .modes = {true, true}};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	for (arg++; *arg != NULL; arg++) {
		if (strcmp(*arg, "--help") == 0 || strcmp(*arg, "-h") == 0) {
			fputs(usage, stdout);
			exit(0);
		}
		if (!read_flag(&w, *arg)) {
			read_value(&w, arg[0], arg[1]);
			arg++;
		}
	}
	if (w.seeds == 0)
		w.seeds = w.first > 0 ? 1 : 1000;
	if (w.first == 0)
		w.first = 1;
	if (w.jobs == 0)
		w.jobs = processors < 1 ? 1 : processors > JOBS_MAX ? JOBS_MAX : (unsigned)processors;
	if (w.trace || w.seeds < w.jobs)
		w.jobs = 1;
	if (w.postgres && getenv("TIDEMARK_TEST_POSTGRES") == NULL)
		refuse("TIDEMARK_TEST_POSTGRES is not set: see tests/README.md");
	return w;
}

void wish_write(const struct wish *w, enum mode mode, uint64_t seed, char *to, size_t size)
{
	size_t len =
		(size_t)snprintf(to, size, "sim --seed %" PRIu64 " --mode %s", seed, wish_mode_name(mode));
	struct choice kept = {0};

	if (w->postgres)
		len += (size_t)snprintf(to + len, size - len, " --centre postgres");
	if (w->steps != 200)
		len += (size_t)snprintf(to + len, size - len, " --steps %u", w->steps);
	if (w->sites != 2)
		len += (size_t)snprintf(to + len, size - len, " --sites %u", w->sites);
	if (strcmp(w->faults_text, "all") != 0)
		len += (size_t)snprintf(to + len, size - len, " --faults %.200s", w->faults_text);
	if (choice_count(&w->left_out, w->steps) == 0)
		return;
	for (unsigned i = 1; i <= w->steps; i++)
		choice_put(&kept, i, i, !choice_has(&w->left_out, i));
	len += (size_t)snprintf(to + len, size - len, " --only ");
	choice_write(&kept, w->steps, to + len, size - len);
}
