#include "tests/sim/stand_in.h"

#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/lite_private.h"

#define START_US INT64_C(1790000000000000)

enum err __real_lite_commit(struct lite *l, struct reason *why);
enum err __wrap_lite_commit(struct lite *l, struct reason *why);

/* The program under test takes time and chance from nowhere else, so these cannot be handed down. */
static struct {
	uint64_t world, program;
	int64_t now_us;
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

	memset(&now, 0, sizeof now);
	now.world = draw(&s);
	now.program = draw(&s);
	now.now_us = START_US;
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
	return now.now_us++;
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

enum err __wrap_lite_commit(struct lite *l, struct reason *why)
{
	enum commit_fate fate = now.fate;
	enum err e;

	if (fate == COMMIT_AS_IS || !l->writer || now.fate_after > 0) {
		now.fate_after -= l->writer && now.fate_after > 0;
		return __real_lite_commit(l, why);
	}
	now.fate = COMMIT_AS_IS;
	now.fate_met = true;
	e = fate == COMMIT_UNSAID_DONE ? __real_lite_commit(l, why) : lite_rollback(l, why);
	if (e != OK)
		return e;
	return fail(fate == COMMIT_FAILS ? RETRY : UNCERTAIN, why, "the simulation broke this commit");
}
