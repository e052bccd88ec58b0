/*
 * Linked into both programs (tests.mk): now and then SQLite's COMMIT reports an error.  Either it was done all the same, or it
 * was not.  One in TIDEMARK_UNCERTAIN of the commits, by chance; each is told on standard error, "uncertain done" or
 * "uncertain not".
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/entropy.h"

/* From sqlite3.h, which only shared/lite*.c includes. */
struct sqlite3_stmt;
const char *sqlite3_sql(struct sqlite3_stmt *s);
int __wrap_sqlite3_step(struct sqlite3_stmt *s);
int __real_sqlite3_step(struct sqlite3_stmt *s);
enum { CODE_IOERR = 10, CODE_DONE = 101 };

static void tell(const char *line)
{
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		abort();
}

int __wrap_sqlite3_step(struct sqlite3_stmt *s)
{
	static atomic_int
		seen; /* the first ones are those of opening: a program whose database fails then ends */
	const char *every = getenv("TIDEMARK_UNCERTAIN");
	uint64_t chance;

	if (!every || strcmp(sqlite3_sql(s), "COMMIT") != 0 || atomic_fetch_add(&seen, 1) < 10)
		return __real_sqlite3_step(s);
	chance = entropy_u64();
	if (chance / 3 % strtoul(every, NULL, 10) != 0)
		return __real_sqlite3_step(s);
	if (chance % 3 == 0) {
		tell("uncertain not\n");
		return CODE_IOERR;
	}
	if (__real_sqlite3_step(s) == CODE_DONE)
		tell("uncertain done\n");
	return CODE_IOERR;
}
