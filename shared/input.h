/*
 * input - a file or standard input, read through a window that moves over it.
 *
 * What has been taken is forgotten, so memory stays bounded however large the file is; what
 * a reader needs in one piece may be INPUT_WINDOW_MAX long.  Counts lines and bytes.  One thread.
 */
#ifndef SHARED_INPUT_H
#define SHARED_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

#define INPUT_WINDOW_MAX (1024 * 1024)

struct input {
	const char *name; /* for messages */
	int fd;
	struct buf window;
	size_t at;      /* where in the window the rest begins */
	bool ended;     /* nothing follows the rest */
	uint64_t line;  /* of the rest's first byte, from 1 */
	uint64_t taken; /* bytes */
	int64_t size;   /* of the whole; -1 = not known */
	size_t chunk;   /* bytes a read; small in tests */
	/* Called when nothing came for a while (a pipe whose writer pauses); may be NULL. */
	void (*idle)(void *ctx);
	void *ctx;
};

/* `path` "-" is standard input.  GONE, DENIED or INVALID: it cannot be read; `in` is then empty. */
enum err input_open(struct input *in, const char *path, struct reason *why) MUST_USE;
void input_close(struct input *in);

/* What has been read and not been taken; until the next input_more(). */
struct span input_rest(const struct input *in);
/* Makes the rest longer, or sets `ended`.  INVALID: it has INPUT_WINDOW_MAX bytes already.  INTERNAL: reading
 * failed. */
enum err input_more(struct input *in, struct reason *why) MUST_USE;
void input_take(struct input *in, size_t bytes); /* at most the rest */

#endif
