#include "central/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shared/lite.h"

/* No name that somebody would give a file that is to stay. */
#define SUFFIX ".copy-in-progress."
#define READ_BYTES (256 * 1024)
/* What the store may need for itself while the copy is there. */
#define SPARE_BYTES (64 * 1024 * 1024)

static bool goes_on(void *ctx)
{
	const struct backup_turn *turn = ctx;

	return !atomic_load(&turn->stopping);
}

/* Filling the disk would stop the centre's own writing. */
static enum err check_room(const char *path, struct reason *why)
{
	struct stat st;
	struct statvfs disk;
	double free_bytes, wanted;

	if (stat(path, &st) != 0 || statvfs(path, &disk) != 0)
		return fail(RETRY, why, "%.120s: %s", path, strerror(errno));
	free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
	wanted = (double)st.st_size * 1.1 + SPARE_BYTES;
	if (free_bytes >= wanted)
		return OK;
	return fail(RETRY, why,
		REASON_DISK_FULL ": a copy needs %.0f MiB beside the store, and %.0f MiB are free",
		wanted / 1048576, free_bytes / 1048576);
}

static enum err sum_file(struct backup *b, struct reason *why)
{
	struct hash_state s;
	char *block = malloc(READ_BYTES);
	ssize_t n = -1;

	hash_begin(&s);
	b->bytes = 0;
	while (block && goes_on(b->turn) && (n = read(b->fd, block, READ_BYTES)) > 0) {
		hash_bytes(&s, block, (size_t)n);
		b->bytes += (uint64_t)n;
	}
	free(block);
	if (n != 0 || lseek(b->fd, 0, SEEK_SET) != 0)
		return fail(RETRY, why, "the copy cannot be read: %s",
			goes_on(b->turn) ? strerror(errno) : "the centre is stopping");
	b->hash = hash_end(&s);
	return OK;
}

static enum err make_at(struct backup *b, const char *path, char *name, struct reason *why)
{
	enum err e = OK;
	int made = mkstemp(name); /* for its owner alone */

	if (made < 0)
		return fail(errno == ENOSPC ? RETRY : DENIED, why, "%.120s: %s", name, strerror(errno));
	close(made);
	e = lite_copy(path, name, goes_on, b->turn, why);
	if (e == OK && (b->fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
		e = fail(RETRY, why, "%.120s: %s", name, strerror(errno));
	unlink(name);
	return e == OK ? sum_file(b, why) : e;
}

enum err backup_make(struct backup_turn *turn, const char *path, struct backup *ret, struct reason *why)
{
	struct backup b = {.turn = turn, .fd = -1};
	char *name = NULL;
	enum err e;

	if (atomic_exchange(&turn->taken, true))
		return fail(
			CONFLICT, why, "another copy is being made or fetched; try again when it is done");
	e = check_room(path, why);
	if (e == OK && asprintf(&name, "%s" SUFFIX "XXXXXX", path) < 0)
		e = fail(RETRY, why, "out of memory");
	if (e == OK)
		e = make_at(&b, path, name, why);
	free(name);
	if (e == OK)
		*ret = b;
	else
		backup_done(&b);
	return e;
}

void backup_done(struct backup *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	atomic_store(&b->turn->taken, false);
}

/* A path may hold what a pattern would take for its own. */
static char *pattern_of(const char *path, const char *end)
{
	struct buf b = {0};

	for (const char *c = path; *c; c++) {
		if (strchr("*?[\\", *c))
			buf_char(&b, '\\');
		buf_char(&b, *c);
	}
	buf_text(&b, SUFFIX);
	buf_text(&b, end);
	return b.at;
}

static void remove_all(const char *path, const char *end)
{
	char *pattern = pattern_of(path, end);
	glob_t found;

	if (pattern && glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	free(pattern);
}

void backup_tidy(const char *path)
{
	remove_all(path, "??????");
	remove_all(path, "?????\?-*"); /* journals */
}
