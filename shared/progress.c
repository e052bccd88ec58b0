#include "shared/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shared/clock.h"

#define BAR_WIDTH 20
#define TERMINAL_EVERY_US 100000
#define ELSE_EVERY_US 10000000
#define RATE_AFTER_S 0.2 /* before that it says nothing */
#define LEFT_MAX_S 359999

static void put_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	size_t unit = 0;

	for (; bytes >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
		bytes /= 1000;
	buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void put_bar(struct buf *out, double part)
{
	int full = part < 1 ? (int)(part * BAR_WIDTH) : BAR_WIDTH;

	buf_char(out, '[');
	for (int i = 0; i < BAR_WIDTH; i++)
		buf_char(out, i < full ? '#' : '.');
	buf_text(out, "] ");
}

static void put_records(struct buf *out, const struct progress_point *at)
{
	buf_printf(out, "%" PRIu64, at->records);
	if (at->total && !(at->counted & PROGRESS_BYTES))
		buf_printf(out, " of %" PRIu64, at->total);
	buf_text(out, " records");
}

static void put_counts(struct buf *out, const struct progress_point *at)
{
	if (at->counted & PROGRESS_RECORDS)
		put_records(out, at);
	if (at->counted == (PROGRESS_RECORDS | PROGRESS_BYTES))
		buf_text(out, ", ");
	if (!(at->counted & PROGRESS_BYTES))
		return;
	put_bytes(out, (double)at->bytes);
	if (at->total) {
		buf_text(out, " of ");
		put_bytes(out, (double)at->total);
	}
}

static void put_rate(struct buf *out, const struct progress_point *at, double seconds)
{
	buf_text(out, ", ");
	if (at->counted & PROGRESS_RECORDS)
		buf_printf(out, "%.0f records", (double)at->records / seconds);
	else
		put_bytes(out, (double)at->bytes / seconds);
	buf_text(out, "/s");
}

static void put_left(struct buf *out, double seconds)
{
	unsigned s = seconds < LEFT_MAX_S ? (unsigned)(seconds + 0.5) : LEFT_MAX_S;

	if (s >= 3600)
		buf_printf(out, ", %u:%02u:%02u left", s / 3600, s / 60 % 60, s % 60);
	else
		buf_printf(out, ", %u:%02u left", s / 60, s % 60);
}

void progress_line(struct buf *out, const struct progress_point *at, double seconds)
{
	uint64_t done = at->counted & PROGRESS_BYTES ? at->bytes : at->records;
	double part = at->total ? (double)done / (double)at->total : 0;

	if (at->counted && at->total)
		put_bar(out, part);
	buf_text(out, at->label);
	if (!at->counted)
		return;
	buf_text(out, ": ");
	put_counts(out, at);
	if (at->total)
		buf_printf(out, " (%d %%)", (int)(part * 100));
	if (seconds >= RATE_AFTER_S)
		put_rate(out, at, seconds);
	if (seconds >= RATE_AFTER_S && part > 0 && part <= 1)
		put_left(out, seconds * (1 - part) / part);
}

void progress_begin(struct progress *p, bool quiet)
{
	int64_t now_us = clock_mono_us();

	*p = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO), .began_us = now_us};
	p->next_us = now_us + (p->terminal ? 0 : ELSE_EVERY_US);
}

/* A line that goes on in the terminal's next row could not be taken away.  Cut at a character's start. */
static int room_for(const struct buf *line)
{
	struct winsize w;
	size_t n = line->len;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || n < w.ws_col)
		return (int)n;
	for (n = w.ws_col - 1; n > 0 && ((unsigned char)line->at[n] & 0xc0) == 0x80; n--)
		;
	return (int)n;
}

void progress_move(struct progress *p, const struct progress_point *at)
{
	int64_t now_us = clock_mono_us();
	struct buf line = {0};

	if (p->quiet || (now_us < p->next_us && !(p->shown && p->counted != at->counted)))
		return;
	p->counted = at->counted;
	p->next_us = now_us + (p->terminal ? TERMINAL_EVERY_US : ELSE_EVERY_US);
	progress_line(&line, at, (double)(now_us - p->began_us) / 1e6);
	if (buf_failed(&line))
		return;
	if (p->terminal)
		fprintf(stderr, "\r\033[K%.*s", room_for(&line), line.at);
	else
		fprintf(stderr, "%s\n", line.at);
	p->shown = true;
	buf_done(&line);
}

double progress_end(struct progress *p)
{
	if (p->shown && p->terminal)
		fputs("\r\033[K", stderr);
	p->shown = false;
	return (double)(clock_mono_us() - p->began_us) / 1e6;
}
