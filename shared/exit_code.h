/*
 * exit_code - what the three programs exit with, so that a script may rely on one meaning everywhere.
 */
#ifndef SHARED_EXIT_CODE_H
#define SHARED_EXIT_CODE_H

#include "shared/err.h"

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_DIFFERS = 4,
	EXIT_TIMEOUT = 5,
	EXIT_REFUSED = 6,
};

/* Of something asked of another program: not reached, refused, or failed. */
int exit_code_of_call(enum err e);
/* Standard output goes on its way: `code`, or a failure, told, where it could not be written. */
int exit_code_after_output(const char *program, int code) MUST_USE;

#endif
