/*
 * fuzz - what the targets share.  Each fuzz_NAME.c defines LLVMFuzzerTestOneInput(): libFuzzer calls it with inputs of its
 * own (make fuzz), replay.c with those of tests/fuzz/corpus/NAME, in every run.
 *
 * An input is good when nothing crashes and every MUST holds.  Same input, same way: no clock, no chance, nothing kept
 * from the input before.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the target, not an assert(): on in every build, and says where. */
#define MUST(holds)                                                                 \
	do {                                                                        \
		if (!(holds)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds); \
			abort();                                                    \
		}                                                                   \
	} while (0)

/* Takes input from its front: the first bytes choose what is done with the rest. */
struct fuzz {
	const char *at, *end;
};

static inline struct fuzz fuzz_of(const uint8_t *data, size_t size)
{
	const char *at = size ? (const char *)data : "";

	return (struct fuzz){at, at + size};
}

static inline unsigned fuzz_byte(struct fuzz *f)
{
	return f->at < f->end ? (unsigned char)*f->at++ : 0;
}

static inline unsigned fuzz_below(struct fuzz *f, unsigned bound)
{
	return fuzz_byte(f) % bound;
}

static inline struct span fuzz_rest(const struct fuzz *f)
{
	return (struct span){f->at, (size_t)(f->end - f->at)};
}

/* Up to the next NUL or the end, which is passed. */
static inline struct span fuzz_text(struct fuzz *f)
{
	const char *stop = memchr(f->at, '\0', (size_t)(f->end - f->at));
	struct span text = {f->at, (size_t)((stop ? stop : f->end) - f->at)};

	f->at = stop ? stop + 1 : f->end;
	return text;
}

/* An exact copy on the heap, so that a read past its end is seen; the caller frees it. */
static inline char *fuzz_copy(struct span text)
{
	char *copy = malloc(text.len + 1);

	MUST(copy);
	if (text.len)
		memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return copy;
}

#endif
