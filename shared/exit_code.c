#include "shared/exit_code.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int exit_code_of_call(enum err e)
{
	switch (e) {
	case OK:
		return EXIT_OK;
	case RETRY:
	case UNCERTAIN:
		return EXIT_UNREACHABLE;
	case DENIED:
		return EXIT_REFUSED;
	case INVALID:
	case GONE:
	case CONFLICT:
	case INTERNAL:
		break;
	}
	return EXIT_FAILED;
}

int exit_code_after_output(const char *program, int code)
{
	bool failed = ferror(stdout);

	if (fflush(stdout) == 0 && !failed)
		return code;
	if (errno != EPIPE) /* who read has seen enough */
		fprintf(stderr, "%s: standard output: %s\n", program, strerror(errno));
	return code == EXIT_OK ? EXIT_FAILED : code;
}
