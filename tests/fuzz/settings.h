/*
 * settings - the command line and the file of one program: what is taken is said by --print-config, and that, as a
 * file, is taken as the same.  fuzz_settings_local.c and _central.c name the program by including its settings.h first.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define ARGS_MAX 12

struct line {
	char *argv[ARGS_MAX + 5];
	int argc;
};

static int file_of(struct span text, char path[64])
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	/* private: else no password may stand in it */
	MUST(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, text.at, text.len) == (ssize_t)text.len);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* The program's own word on what holds, without where each came from. */
static enum err printed(struct line *l, struct buf *ret, struct reason *why)
{
	struct settings s;
	enum options_do todo;
	struct buf out = {0};
	enum err e;

	l->argv[l->argc] = NULL;
	e = settings_read(&s, l->argc, l->argv, &todo, &out, why);
	MUST(e == OK || ((e == INVALID || e == DENIED) && why->text[0]));
	if (e == OK && todo == OPTIONS_PRINT)
		buf_put(ret, buf_span(&out));
	else if (e == OK)
		e = GONE; /* --help, or the like, came first */
	buf_done(&out);
	return e;
}

/* Would the program run with this? */
static bool taken(struct line *l)
{
	struct settings s;
	enum options_do todo;
	struct buf out = {0};
	struct reason why = {""};

	l->argv[l->argc] = NULL;
	enum err e = settings_read(&s, l->argc, l->argv, &todo, &out, &why);

	MUST(e == OK || ((e == INVALID || e == DENIED) && why.text[0]));
	buf_done(&out);
	return e == OK && (todo == OPTIONS_RUN || todo == OPTIONS_CHECK);
}

static void without_comments(struct span text, struct buf *ret)
{
	while (text.len > 0) {
		const char *end = memchr(text.at, '\n', text.len);
		size_t len = end ? (size_t)(end - text.at) : text.len;
		const char *comment = memmem(text.at, len, "  # ", 4);

		/* the last one: a value may hold such, within quotes */
		for (const char *next = comment; next;
			next = memmem(next + 1, (size_t)(text.at + len - next - 1), "  # ", 4))
			comment = next;
		buf_add(ret, text.at, comment ? (size_t)(comment - text.at) : len);
		buf_char(ret, '\n');
		text = (struct span){text.at + len + (end != NULL), text.len - len - (end != NULL)};
	}
}

static void check_printed(struct span text, char *program)
{
	char path[64], config[] = "--config", print[] = "--print-config";
	int fd = file_of(text, path);
	struct line l = {.argv = {program, config, path, print}, .argc = 4};
	struct buf again = {0}, one = {0}, other = {0};
	struct reason why = {""};

	if (printed(&l, &again, &why) != OK) {
		fprintf(stderr, "%s\n%.*s", why.text, (int)text.len, text.at);
		abort();
	}
	without_comments(text, &one);
	without_comments(buf_span(&again), &other);
	if (!span_equal(buf_span(&one), buf_span(&other))) {
		fprintf(stderr, "first:\n%.*s\nagain:\n%.*s", (int)one.len, one.at, (int)other.len, other.at);
		abort();
	}
	buf_done(&again);
	buf_done(&one);
	buf_done(&other);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	char program[] = "program", config[] = "--config", print[] = "--print-config", path[64];
	unsigned first = fuzz_byte(&f);
	struct line l = {.argv = {program}, .argc = 1};
	struct buf out = {0};
	struct reason why = {""};
	char *args[ARGS_MAX];
	unsigned n = 0, wanted = first % (ARGS_MAX + 1);

	for (; n < wanted; n++) {
		args[n] = fuzz_copy(fuzz_text(&f));
		/* no files of this machine */
		l.argv[l.argc++] = strstr(args[n], "config") ? program : args[n];
	}
	int fd = file_of(fuzz_rest(&f), path);

	l.argv[l.argc++] = config;
	l.argv[l.argc++] = path;
	/* only what is good in itself can be given again: a list of what is none may hold anything */
	if (taken(&l)) {
		l.argv[l.argc++] = print;
		if (printed(&l, &out, &why) == OK)
			check_printed(buf_span(&out), program);
	}
	buf_done(&out);
	close(fd);
	for (unsigned i = 0; i < n; i++)
		free(args[i]);
	options_free();
	return 0;
}
