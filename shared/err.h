/*
 * err - the outcomes of everything that can fail, and one line that says why.
 *
 * An outcome says what the caller should do next, not what happened below:
 * foreign codes (SQLITE_*, CURLcode, HTTP status) are classified once, at the
 * door of their library.  Outputs are untouched unless a function returns OK.
 */
#ifndef SHARED_ERR_H
#define SHARED_ERR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

enum err {
	OK,
	RETRY,     /* busy, down, full or timed out: the same call may succeed later */
	UNCERTAIN, /* it may or may not have happened: re-read before going on */
	INVALID,   /* the input is wrong; it stays wrong */
	GONE,      /* not there */
	DENIED,    /* not allowed */
	CONFLICT,  /* the state is not what the caller said it was; re-read and decide */
	INTERNAL,  /* a bug or a broken store: stop using it */
};

/* Why, for people: one line of UTF-8 without a full stop at the end, cut at its size. */
struct reason {
	char text[400]; /* room for a long path and what to do about it */
};

/* Stands in the reason when there is no room left, so that a reply can say so (507). */
#define REASON_DISK_FULL "the disk is full"

const char *err_name(enum err e);

/* Sets `why` (which may be NULL) and returns `e`, so that a failure is one statement. */
enum err fail(enum err e, struct reason *why, const char *fmt, ...) PRINTF(3, 4);

/*
 * For want of a few bytes that nobody could do without: says so on standard error and aborts.  Whoever asks for much, or can
 * answer for it, returns RETRY instead.  What is durable stays so; a supervisor starts the program again.
 */
void err_out_of_memory(void) __attribute__((noreturn, cold));

#ifdef __clang_analyzer__ /* which sees one file at a time: says that fail() gives back what it was given */
#define fail(e, ...) ((void)fail(e, __VA_ARGS__), (e))
#endif

#endif
