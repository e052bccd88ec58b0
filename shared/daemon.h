/*
 * daemon - what both daemons do alike as programs, whatever they serve: some options, how they refuse to run, begin, and take
 * other settings.  On main's thread.
 */
#ifndef SHARED_DAEMON_H
#define SHARED_DAEMON_H

#include <stdbool.h>

#include "shared/options.h"

/* As they were given: a program's settings hold one and name it in their table by the two macros. */
struct daemon_options {
	const char *chronyc;
	bool core_dumps;
	const char *log_level, *log_format;
};
#define DAEMON_CHRONYC_OPTION(o)                                                                    \
	{                                                                                           \
		"chronyc", OPTION_TEXT, &(o)->chronyc, "chronyc", 0, 0, NULL, "PROGRAM",            \
			"what to ask how well this machine's clock is kept; empty: only the kernel" \
	}
#define DAEMON_OPTIONS(o)                                                                                  \
	{"core-dumps", OPTION_FLAG, &(o)->core_dumps, NULL, 0, 0, NULL, NULL,                              \
		"a crash may leave a core dump, which holds secrets and records: to find a bug"},          \
		{"log-level", OPTION_CHOICE, &(o)->log_level, "info", 0, 0, "error warn info debug", NULL, \
			"the least to log"},                                                               \
	{                                                                                                  \
		"log-format", OPTION_CHOICE, &(o)->log_format, "logfmt", 0, 0, "logfmt json", NULL,        \
			"one line an event"                                                                \
	}

/* Before there is a log: on standard error, and for a usage error (INVALID) where to look. */
void daemon_complain(const char *program, enum err e, const struct reason *why);
/* What was asked for instead of running, to standard output; `out` is done, and so are the options.  The exit code. */
int daemon_print(const char *program, struct buf *out);

/*
 * Before any thread, and before secrets are read: gives up rights (privilege.h; `children`: it runs programs that may gain
 * some), then signals, supervisor and log are ready.
 */
void daemon_begin(const struct daemon_options *o, bool children);
/*
 * Once it listens, at most once a process: warns of what an operator should know (`plain_http`: it may be asked without TLS
 * from beyond loopback), and starts the thread that asks chronyd, which chrony_stop() ends.
 */
enum err daemon_start(const struct daemon_options *o, bool plain_http, struct reason *why) MUST_USE;
/* Other settings than `before` hold from now on. */
void daemon_retune(const struct daemon_options *o, const struct daemon_options *before);

#endif
