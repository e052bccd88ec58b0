#include "tests/sim/stand_in.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/lite_private.h"
#include "shared/log.h"
#include "tests/sim/trace.h"

#define START_US INT64_C(1790000000000000)

enum err __real_lite_commit(struct lite *l, struct reason *why);
enum err __wrap_lite_commit(struct lite *l, struct reason *why);
PGresult *__real_postgres_run(PGconn *conn, const char *sql);
PGresult *__wrap_postgres_run(PGconn *conn, const char *sql);
void __wrap_log_event(enum log_level level, const char *event, ...);

/* The program under test takes time and chance from nowhere else, so these cannot be handed down. */
static struct {
	uint64_t seed, world, program;
	int64_t now_us, off_us;
	bool clocks_right;
	enum commit_fate fate;
	unsigned fate_after;
	bool fate_met;
} now;

/* splitmix64: every state gives a full-period stream. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void stand_in_begin(uint64_t seed)
{
	uint64_t s = seed;

	now.off_us = 0;
	now.seed = seed;
	now.world = draw(&s);
	now.program = draw(&s);
	now.now_us = START_US;
	commit_set_fate(COMMIT_AS_IS, 0);
}

void stand_in_step(unsigned step)
{
	uint64_t s = now.seed + UINT64_C(0xd1342543de82ef95) * (step + 1);

	now.world = draw(&s);
}

uint64_t chance_u64(void)
{
	return draw(&now.world);
}

unsigned chance_below(unsigned bound)
{
	return (unsigned)(chance_u64() % bound);
}

bool chance_percent(unsigned percent)
{
	return chance_below(100) < percent;
}

void time_pass(int64_t us)
{
	now.now_us += us;
}

/* A reading takes a microsecond, so that no two are equal. */
int64_t clock_wall_us(void)
{
	return now.now_us++ + now.off_us;
}

int64_t clock_use(int64_t off_us)
{
	int64_t was = now.off_us;

	now.off_us = now.clocks_right ? 0 : off_us;
	return was;
}

void clocks_are_right(bool right)
{
	now.clocks_right = right;
}

int64_t clock_mono_us(void)
{
	return now.now_us++ - START_US + 1000000;
}

int64_t clock_error_us(void)
{
	return 500;
}

void clock_tell_error_us(int64_t error_us)
{
	(void)error_us; /* no keeper is asked here */
}

void entropy_bytes(void *at, size_t len)
{
	unsigned char *to = at;

	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)(draw(&now.program) >> 32);
}

void commit_set_fate(enum commit_fate fate, unsigned after)
{
	now.fate = fate;
	now.fate_after = after;
	now.fate_met = false;
}

bool commit_fate_met(void)
{
	bool met = now.fate_met;

	commit_set_fate(COMMIT_AS_IS, 0);
	return met;
}

/* Takes the fate that is due, if one is. */
static enum commit_fate take_fate(void)
{
	enum commit_fate fate = now.fate;

	if (fate == COMMIT_AS_IS)
		return fate;
	if (now.fate_after > 0) {
		now.fate_after--;
		return COMMIT_AS_IS;
	}
	now.fate = COMMIT_AS_IS;
	now.fate_met = true;
	return fate;
}

enum err __wrap_lite_commit(struct lite *l, struct reason *why)
{
	enum commit_fate fate = l->writer ? take_fate() : COMMIT_AS_IS;
	enum err e;

	if (fate == COMMIT_AS_IS)
		return __real_lite_commit(l, why);
	e = fate == COMMIT_UNSAID_DONE ? __real_lite_commit(l, why) : lite_rollback(l, why);
	if (e != OK)
		return e;
	return fail(fate == COMMIT_FAILS ? RETRY : UNCERTAIN, why, "the simulation broke this commit");
}

/* Only a transaction that writes is committed by this; NULL: the connection was lost with it. */
PGresult *__wrap_postgres_run(PGconn *conn, const char *sql)
{
	enum commit_fate fate = strcmp(sql, "COMMIT") == 0 ? take_fate() : COMMIT_AS_IS;
	PGresult *r;

	if (fate == COMMIT_AS_IS)
		return __real_postgres_run(conn, sql);
	r = __real_postgres_run(conn, fate == COMMIT_UNSAID_DONE ? "COMMIT" : "ROLLBACK");
	if (fate == COMMIT_FAILS)
		return r;
	PQclear(r);
	return NULL;
}

/* A log is for people: shown with the trace, and no part of it. */
void __wrap_log_event(enum log_level level, const char *event, ...)
{
	char text[300];
	size_t len = 0;
	va_list args;

	(void)level;
	va_start(args, event);
	for (const char *key; len < sizeof text && (key = va_arg(args, const char *)) != NULL;)
		len += (size_t)snprintf(
			text + len, sizeof text - len, " %s=%s", key, va_arg(args, const char *));
	va_end(args);
	trace_aside("  log: %s%s", event, len > 0 ? text : "");
}
