/*
 * output - where an export goes: standard output, or a file that appears whole or not at all.
 *
 * A file is written as FILE.part and takes its name at the end, on the disk; until then what had that name before
 * stays.  A device or pipe is written as it is.  One thread.
 */
#ifndef SHARED_OUTPUT_H
#define SHARED_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

struct output {
	const char *path;
	char *part; /* NULL: written directly */
	int fd;
	struct buf held; /* not yet written */
	uint64_t bytes;  /* put so far */
};

/* "-" is standard output.  DENIED, GONE or INVALID: it cannot be written. */
enum err output_open(struct output *o, const char *path, struct reason *why) MUST_USE;
enum err output_put(struct output *o, struct span s, struct reason *why) MUST_USE;
/* `keep` false: nothing is left of it.  Always closes. */
enum err output_end(struct output *o, bool keep, struct reason *why) MUST_USE;

#endif
