/*
 * A copy of the centre's store into a file: FILE.part while it comes, FILE once every byte has come, was as the
 * centre said, and is on disk.  So whatever ends it, FILE is whole or as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "central/tool/commands.h"
#include "shared/clock.h"
#include "shared/hash.h"

struct saving {
	const char *path;
	char *part;
	int fd;
	uint64_t bytes;
	struct hash_state sum;
	struct hash hash; /* of all of them */
	struct progress progress;
};

static int fail_on(const char *path, const char *what)
{
	fprintf(stderr, "tidemark: %s: %s\n", path, what);
	return EXIT_FAILED;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0 || errno != ENOENT;
}

static int refuse_existing(const char *path)
{
	fprintf(stderr, "tidemark: %s is there already\nTry: another name, or --force to replace it\n", path);
	return EXIT_REFUSED;
}

/* Else whoever had it gave it its name between our opening and our lock. */
static bool has_name(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

static int open_part(struct saving *s)
{
	if (asprintf(&s->part, "%s.part", s->path) < 0) {
		s->part = NULL;
		return fail_on(s->path, "out of memory");
	}
	s->fd = open(s->part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return fail_on(s->part, strerror(errno));
	if (flock(s->fd, LOCK_EX | LOCK_NB) != 0 || !has_name(s->fd, s->part)) {
		close(s->fd);
		s->fd = -1; /* another's, and stays */
		return fail_on(s->part, "another backup is being written there");
	}
	return ftruncate(s->fd, 0) == 0 ? EXIT_OK : fail_on(s->part, strerror(errno));
}

static enum err save(void *ctx, struct span bytes, uint64_t total, struct reason *why)
{
	struct saving *s = ctx;

	const struct progress_point at = {.label = total ? s->path : "the centre makes the copy",
		.counted = total ? PROGRESS_BYTES : 0,
		.bytes = s->bytes,
		.total = total};

	progress_move(&s->progress, &at);
	hash_bytes(&s->sum, bytes.at, bytes.len);
	while (bytes.len > 0) {
		ssize_t n = write(s->fd, bytes.at, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(INTERNAL, why, "%.150s: %s", s->part, strerror(errno));
		bytes = (struct span){bytes.at + n, bytes.len - (size_t)n};
		s->bytes += (uint64_t)n;
	}
	return OK;
}

/* What the centre said it would be. */
static bool is_whole(struct saving *s, const char *etag)
{
	struct hash said;

	s->hash = hash_end(&s->sum);
	return strlen(etag) == 34 && hash_parse((struct span){etag + 1, 32}, &said) &&
	       hash_equal(said, s->hash);
}

static int fetch(struct tool *t, struct saving *s)
{
	struct client_reply reply = {0};
	struct reason why;
	int code = EXIT_OK;
	double seconds;

	hash_begin(&s->sum);
	tool_progress_begin(t, &s->progress);
	enum err e = client_download(t->client, "/v1/backup", t->timeout_ms, save, s, &reply, &why);
	seconds = tool_progress_end(t);
	if (e == INTERNAL)
		code = fail_on("backup", why.text);
	else if (e != OK && t->timeout_ms && seconds * 1000 >= (double)t->timeout_ms)
		code = (fail_on("backup", "timed out"), EXIT_TIMEOUT);
	else if (e != OK)
		code = tool_unreachable(t, e, &why);
	else if (reply.status != 200)
		code = tool_complain(t, &reply);
	else if (!is_whole(s, reply.etag))
		code = fail_on(s->path, "what came is not what the centre sent; nothing was kept");
	client_reply_done(&reply);
	return code;
}

/* Nobody's file is replaced unless that was asked for, even one that was made meanwhile. */
static int give_name(const struct tool *t, const struct saving *s)
{
	if (fsync(s->fd) != 0)
		return fail_on(s->part, strerror(errno));
	if (t->force)
		return rename(s->part, s->path) == 0 ? EXIT_OK : fail_on(s->path, strerror(errno));
	if (renameat2(AT_FDCWD, s->part, AT_FDCWD, s->path, RENAME_NOREPLACE) == 0)
		return EXIT_OK;
	if (errno == EEXIST || ((errno == EINVAL || errno == ENOSYS) && exists(s->path)))
		return refuse_existing(s->path);
	if (errno != EINVAL && errno != ENOSYS) /* these: the file system knows no such rename */
		return fail_on(s->path, strerror(errno));
	return rename(s->part, s->path) == 0 ? EXIT_OK : fail_on(s->path, strerror(errno));
}

/* The name, too, is to be there after a power cut. */
static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int code = fd >= 0 && fsync(fd) == 0 ? EXIT_OK : fail_on(path, strerror(errno));

	if (fd >= 0)
		close(fd);
	free(copy);
	return code;
}

static void report(const struct tool *t, const struct saving *s, double seconds)
{
	struct buf line = {0};
	char hex[33];

	hash_hex(s->hash, hex);
	if (t->json) {
		buf_text(&line, "{\"file\":");
		buf_json_text(&line, span_of(s->path));
		buf_printf(&line, ",\"bytes\":%llu,\"hash\":\"%s\"}", (unsigned long long)s->bytes, hex);
	} else {
		buf_printf(&line, "%s: %llu bytes in %.1f s, whole and on disk", s->path,
			(unsigned long long)s->bytes, seconds);
	}
	puts(line.at ? line.at : "");
	buf_done(&line);
}

static void close_part(struct saving *s, int code)
{
	if (s->part && s->fd >= 0 && code != EXIT_OK)
		unlink(s->part);
	if (s->fd >= 0)
		close(s->fd);
	free(s->part);
}

int command_backup(struct tool *t)
{
	struct saving s = {.fd = -1};
	int64_t began_us = clock_mono_us();

	if (t->args.n != 1 || !strcmp(t->args.at[0], "-"))
		return tool_usage("backup takes the name of a FILE to make");
	s.path = t->args.at[0];
	if (!t->force && exists(s.path))
		return refuse_existing(s.path);
	int code = open_part(&s);
	if (code == EXIT_OK)
		code = fetch(t, &s);
	if (code == EXIT_OK)
		code = give_name(t, &s);
	if (code == EXIT_OK) {
		code = sync_directory(s.path);
		report(t, &s, (double)(clock_mono_us() - began_us) / 1e6);
	}
	close_part(&s, code);
	return code;
}
