#include "central/tool/watch.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "central/tool/interrupt.h"
#include "shared/clock.h"

#define EVERY_MS 1000
/* Another screen without a cursor, so that what was there before is there afterwards. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define END_OF_LINE "\033[K\n"
#define NOTHING_BELOW "\033[J"

/* --why that differs is a picture as well. */
static bool is_picture(int code)
{
	return code == EXIT_OK || code == EXIT_DIFFERS;
}

static bool is_over(void)
{
	return interrupt_came() || interrupt_nobody_reads();
}

/* --- what a command prints, in memory --- */

static void read_all(int fd, struct buf *out)
{
	char block[4096];
	ssize_t n;

	for (off_t at = 0; (n = pread(fd, block, sizeof block, at)) > 0; at += n)
		buf_add(out, block, (size_t)n);
}

/* Runs it with both its outputs going there. */
static int run_into(struct tool *t, int (*command)(struct tool *t), int fd)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	int code = EXIT_FAILED;

	if (out >= 0 && err >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0)
		code = command(t);
	fflush(stdout);
	if (out >= 0 && err >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
	}
	close(out);
	close(err);
	return code;
}

static int run_in_memory(struct tool *t, int (*command)(struct tool *t), struct buf *text)
{
	int fd = memfd_create("tidemark", MFD_CLOEXEC), code = EXIT_FAILED;

	buf_clear(text);
	fflush(stdout);
	if (fd >= 0) {
		code = run_into(t, command, fd);
		read_all(fd, text);
		close(fd);
	}
	buf_char(text, '\0');
	return code;
}

/* --- the terminal --- */

/* As much of the line as fits; a character is taken to be one column wide. */
static struct span cut(struct span line, size_t columns)
{
	size_t n = line.len;

	for (size_t i = 0, width = 0; i < line.len; i++) {
		bool begins = ((unsigned char)line.at[i] & 0xc0) != 0x80;

		if (begins && width++ == columns) {
			n = i;
			break;
		}
	}
	return (struct span){line.at, n};
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Lines that end; where they are more than fit, the last one says how many are left out. */
static void put_lines(struct buf *out, const char *text, size_t rows, size_t columns)
{
	size_t lines = count_lines(text), shown = lines > rows && rows > 0 ? rows - 1 : lines;

	for (size_t i = 0; i < shown; i++) {
		struct span line = {text, strcspn(text, "\n")};

		buf_put(out, cut(line, columns));
		buf_text(out, END_OF_LINE);
		text += line.len + 1;
	}
	if (shown < lines)
		buf_printf(out, "… %zu more, for which there is no room" END_OF_LINE, lines - shown);
}

/* The time and the centre, or what is wrong, over the last picture. */
static void draw(const struct tool *t, const char *wrong, const char *picture)
{
	struct winsize w = {0};
	struct buf out = {0}, head = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || !w.ws_row || !w.ws_col)
		w = (struct winsize){.ws_row = 24, .ws_col = 80};
	buf_time(&head, clock_wall_us());
	head.len = strlen("2026-11-21T01:02:03"); /* no fractions */
	if (wrong)
		buf_printf(&head, "  %.*s", (int)strcspn(wrong, "\n"), wrong);
	else
		buf_printf(&head, "  %s  Ctrl-C ends", t->central);
	buf_text(&out, HOME);
	buf_put(&out, cut(buf_span(&head), w.ws_col));
	buf_text(&out, END_OF_LINE END_OF_LINE);
	put_lines(&out, picture, w.ws_row > 3 ? w.ws_row - 3u : 1u, w.ws_col);
	buf_text(&out, NOTHING_BELOW);
	fwrite(out.at, 1, out.len, stdout);
	fflush(stdout);
	buf_done(&out);
	buf_done(&head);
}

static int watch_on_terminal(struct tool *t, int (*command)(struct tool *t))
{
	struct buf now = {0}, last = {0};
	int code = run_in_memory(t, command, &now);

	if (!is_picture(code)) {
		fputs(now.at, stderr);
		buf_done(&now);
		return code;
	}
	fputs(SCREEN_BEGIN, stdout);
	for (; !is_over(); code = run_in_memory(t, command, &now)) {
		if (is_picture(code)) {
			struct buf before = last;

			last = now;
			now = before;
		}
		draw(t, is_picture(code) ? NULL : now.at, last.at);
		interrupt_pause(EVERY_MS);
	}
	fputs(SCREEN_END, stdout);
	fputs(last.at ? last.at : "", stdout); /* stays to be read */
	buf_done(&now);
	buf_done(&last);
	return EXIT_OK;
}

static int watch_elsewhere(struct tool *t, int (*command)(struct tool *t))
{
	int code;

	while (is_picture(code = command(t)) && !is_over()) {
		if (!t->json)
			putchar('\n');
		fflush(stdout);
		interrupt_pause(EVERY_MS);
	}
	return is_picture(code) || interrupt_came() ? EXIT_OK : code;
}

int watch_command(struct tool *t, int (*command)(struct tool *t))
{
	interrupt_take();
	return isatty(STDOUT_FILENO) && !t->json ? watch_on_terminal(t, command)
						 : watch_elsewhere(t, command);
}
