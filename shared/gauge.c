#include "shared/gauge.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"

#define TERMINAL_EVERY_US 200000
#define ELSE_EVERY_US 10000000

void gauge_begin(struct gauge *g, const char *what, int64_t total_bytes, bool quiet)
{
	*g = (struct gauge){.what = what,
		.quiet = quiet,
		.terminal = isatty(STDERR_FILENO),
		.total_bytes = total_bytes,
		.began_us = clock_mono_us()};
	g->last_us = g->began_us;
}

static void put_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	size_t unit = 0;

	for (; bytes >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
		bytes /= 1000;
	buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void put_left(struct buf *out, double seconds)
{
	unsigned s = seconds < 359999 ? (unsigned)(seconds + 0.5) : 359999;

	if (s >= 3600)
		buf_printf(out, ", %u:%02u:%02u left", s / 3600, s / 60 % 60, s % 60);
	else
		buf_printf(out, ", %u:%02u left", s / 60, s % 60);
}

void gauge_line(struct buf *out, const char *what, uint64_t records, uint64_t bytes, int64_t total_bytes,
	double seconds)
{
	double part = total_bytes > 0 ? (double)bytes / (double)total_bytes : 0;

	buf_printf(out, "%s: %" PRIu64 " records, ", what, records);
	put_bytes(out, (double)bytes);
	if (total_bytes > 0) {
		buf_text(out, " of ");
		put_bytes(out, (double)total_bytes);
		buf_printf(out, " (%.0f %%)", part * 100);
	}
	if (seconds > 0)
		buf_printf(out, ", %.0f records/s", (double)records / seconds);
	if (part > 0 && part <= 1 && seconds > 0)
		put_left(out, seconds * (1 - part) / part);
}

void gauge_move(struct gauge *g, uint64_t records, uint64_t bytes)
{
	int64_t now_us = clock_mono_us();
	struct buf line = {0};

	if (g->quiet || now_us - g->last_us < (g->terminal ? TERMINAL_EVERY_US : ELSE_EVERY_US))
		return;
	g->last_us = now_us;
	g->shown = true;
	gauge_line(&line, g->what, records, bytes, g->total_bytes, (double)(now_us - g->began_us) / 1e6);
	if (!buf_failed(&line))
		fprintf(stderr, g->terminal ? "\r\033[K%s" : "%s\n", line.at);
	buf_done(&line);
}

double gauge_end(struct gauge *g)
{
	if (g->shown && g->terminal)
		fputs("\r\033[K", stderr);
	return (double)(clock_mono_us() - g->began_us) / 1e6;
}
