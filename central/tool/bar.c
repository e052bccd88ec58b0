#include "central/tool/bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"

#define WIDTH 24

/* 12345 → "12.3 k", bytes by 1024 → "12.1 KiB". */
static void put_amount(struct buf *out, double n, const char *unit)
{
	bool bytes = !strcmp(unit, "bytes");
	double step = bytes ? 1024 : 1000;
	const char *const *names = bytes ? (const char *const[]){"B", "KiB", "MiB", "GiB", "TiB"}
					 : (const char *const[]){"", "k", "M", "G", "T"};
	int i = 0;

	while (n >= step && i < 4) {
		n /= step;
		i++;
	}
	buf_printf(out, "%.*f%s%s", i ? 1 : 0, n, names[i][0] ? " " : "", names[i]);
	if (!bytes)
		buf_printf(out, " %s", unit);
}

static void put_seconds(struct buf *out, double s)
{
	if (s < 60)
		buf_printf(out, "%.0f s", s);
	else if (s < 3600)
		buf_printf(out, "%d:%02d min", (int)s / 60, (int)s % 60);
	else
		buf_printf(out, "%d:%02d h", (int)(s / 3600), (int)s % 3600 / 60);
}

void bar_line(
	struct buf *out, const char *label, const char *unit, uint64_t done, uint64_t total, double seconds)
{
	double rate = seconds > 0 ? (double)done / seconds : 0;

	buf_text(out, label);
	if (total) {
		double part = done < total ? (double)done / (double)total : 1;
		int full = (int)(part * WIDTH);

		buf_text(out, " [");
		for (int i = 0; i < WIDTH; i++)
			buf_char(out, i < full ? '#' : '.');
		buf_printf(out, "] %3d %%", (int)(part * 100));
	}
	buf_char(out, ' ');
	put_amount(out, (double)done, unit);
	if (rate > 0 && seconds >= 1) {
		buf_text(out, ", ");
		put_amount(out, rate, unit);
		buf_text(out, "/s");
		if (done < total) {
			buf_text(out, ", ");
			put_seconds(out, (double)(total - done) / rate);
			buf_text(out, " left");
		}
	}
}

void bar_show(struct bar *b, const char *label, uint64_t done, uint64_t total)
{
	struct buf line = {0};

	if (!isatty(STDERR_FILENO))
		return;
	if (!b->began_us)
		b->began_us = clock_mono_us();
	buf_text(&line, "\r\033[K");
	bar_line(&line, label, b->unit, done, total, (double)(clock_mono_us() - b->began_us) / 1e6);
	if (!buf_failed(&line))
		fputs(line.at, stderr);
	b->shown = true;
	buf_done(&line);
}

void bar_end(struct bar *b)
{
	if (b->shown)
		fputs("\r\033[K", stderr);
	b->shown = false;
}
