/*
 * wish - what the command line asks for.
 */
#ifndef TESTS_SIM_WISH_H
#define TESTS_SIM_WISH_H

#include "tests/sim/choice.h"
#include "tests/sim/world.h"

#define JOBS_MAX 64

struct wish {
	uint64_t first, seeds;
	unsigned steps, sites, faults, jobs;
	bool modes[2]; /* by enum mode */
	bool trace, twice, clocks, shrink;
	bool postgres; /* the centre's store */
	struct choice left_out;
	const char *faults_text; /* as it was given */
};

/* Ends the program with status 2 and the usage where it is no wish. */
struct wish wish_read(char **arg);
/* The command that runs one world of it alone. */
void wish_write(const struct wish *w, enum mode mode, uint64_t seed, char *to, size_t size);
const char *wish_mode_name(enum mode mode);

#endif
