/*
 * chrony - what chronyd says of this machine's clock: asked now and then through `chronyc`, without privileges.
 *
 * One thread asks (chrony_start()), so a handler never waits: chrony_now() gives the last reading.  What it says of
 * the error is told to clock_error_us(), where the kernel's bound stands in as long as chronyd does not
 * answer or is not synchronised.  Process-wide, as the clock is the machine's.  A missing chronyc is a state, no
 * failure.  chrony.c and chrony_json.c are pure; chrony_ask.c runs the program, chrony_watch.c is the
 * thread.
 */
#ifndef SHARED_CHRONY_H
#define SHARED_CHRONY_H

#include "shared/buf.h"
#include "shared/err.h"

enum chrony_state {
	CHRONY_UNKNOWN,      /* not asked, or not lately */
	CHRONY_SYNCHRONISED, /* follows a source */
	CHRONY_ALONE,        /* follows its own clock alone, and serves that (`local` in its configuration) */
	CHRONY_UNSYNCHRONISED, /* runs, and follows nothing */
	CHRONY_SILENT,         /* chronyd does not answer */
	CHRONY_MISSING,        /* there is no chronyc */
	CHRONY_UNREADABLE,     /* chronyc said something else */
};
#define CHRONY_STATES 7
const char *chrony_state_name(enum chrony_state s);  /* one word */
const char *chrony_state_words(enum chrony_state s); /* a clause: "chronyd does not answer: is it running?" */

enum chrony_leap { CHRONY_LEAP_NORMAL, CHRONY_LEAP_INSERT, CHRONY_LEAP_DELETE };

#define CHRONY_SOURCE_MAX 47
#define CHRONY_STRATUM_MAX 15

/* A zeroed one is unknown.  Only the state is valid in every state. */
struct chrony {
	enum chrony_state state;
	unsigned stratum; /* 1 … 15; when synchronised or alone */
	/* when synchronised: */
	uint32_t reference_id;
	char source[CHRONY_SOURCE_MAX + 1]; /* the source's address, or the name of a reference clock */
	enum chrony_leap leap;
	int64_t offset_us;                         /* this clock minus NTP's time, as chronyd estimates it */
	int64_t root_delay_us, root_dispersion_us; /* rounded up */
	int64_t error_us; /* the bound: |offset| + root delay / 2 + root dispersion, rounded up */
	int64_t frequency_ppb,
		skew_ppb;      /* how far off the clock runs by itself (+ fast), and how well that is known */
	int64_t updated_at_us; /* wall clock: when the source last told */
	int64_t age_s;         /* how long ago that was when this is read; -1 = not known */
};

/*
 * Reads what `chronyc -c -n tracking` prints: one line of 14 fields.  INVALID with the field: anything
 * else; then *ret is left alone.  Never more than UNSYNCHRONISED for a stratum that is none, or a bound of 16 s
 * or more.
 */
enum err chrony_parse(struct span line, struct chrony *ret, struct reason *why) MUST_USE;

/* As a JSON object, unknown members null; `null` for CHRONY_UNKNOWN. */
void chrony_put(const struct chrony *c, struct buf *out);
/* Reads such an object.  False, and *ret left alone, for anything that is not one. */
bool chrony_take(struct span object, struct chrony *ret) MUST_USE;

/*
 * Runs the program and waits for its answer, at most so long and for a kilobyte; then it is killed, as also when
 * `stop_fd` becomes readable.  No shell.  Always fills *ret; unless that is a reading, `why` says more.
 */
void chrony_ask(const char *program, int64_t timeout_ms, int stop_fd, struct chrony *ret, struct reason *why);

/* A clause on who keeps a clock that is known to within error_us (-1 = not): "chronyd follows 10.0.0.1, stratum 3, which
 * told it 4 s ago". */
void chrony_describe(const struct chrony *c, int64_t error_us, struct reason *ret);

#define CHRONY_EVERY_MS 10000
#define CHRONY_TIMEOUT_MS 4000

struct chrony_config {
	const char *program; /* "chronyc"; NULL or "" = never ask */
	int64_t every_ms, timeout_ms;
};

/* After log_init() and stop_init(): the thread logs `clock` whenever the state changes.  Once a process. */
enum err chrony_start(const struct chrony_config *c, struct reason *why) MUST_USE;
/* With another program from now on; that it cannot is logged. */
void chrony_follow(const char *program);
void chrony_stop(void); /* ends a running chronyc too; again, or without a start, is harmless */

/* The last reading; CHRONY_UNKNOWN where there is none or it is over a minute old.  Any thread. */
void chrony_now(struct chrony *ret);

/* {"synchronised":…,"error_us":…,"source":"chrony"|"kernel"|null,"chrony":…}: this machine's clock, as both
 * programs show it. */
void chrony_put_clock(struct buf *out);
/* The same for Prometheus: tidemark_clock_synchronised, and tidemark_clock_error_seconds where it is known. */
void chrony_put_metrics(struct buf *out);

/* Which of the two an error bound (-1 = none) is from: "chrony", "kernel", or NULL. */
const char *chrony_source_of(const struct chrony *c, int64_t error_us);

#endif
