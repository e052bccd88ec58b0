#include "shared/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD_BYTES (256 * 1024)

enum err output_open(struct output *o, const char *path, struct reason *why)
{
	struct stat st;
	bool standard = strcmp(path, "-") == 0;
	bool there = !standard && stat(path, &st) == 0;

	*o = (struct output){.path = standard ? "standard output" : path};
	if (there && S_ISDIR(st.st_mode))
		return fail(INVALID, why, "a directory, where a file was expected");
	if (!standard && (!there || S_ISREG(st.st_mode)) && asprintf(&o->part, "%s.part", path) < 0)
		return fail(RETRY, why, "out of memory");
	if (standard)
		o->fd = dup(STDOUT_FILENO);
	else if (o->part)
		o->fd = open(
			o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, there ? st.st_mode & 0777 : 0666);
	else
		o->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (o->fd >= 0)
		return OK;
	free(o->part);
	return fail(errno == ENOENT ? GONE : DENIED, why, "%s", strerror(errno));
}

static enum err write_out(struct output *o, struct reason *why)
{
	const char *at = o->held.at;
	size_t left = o->held.len;

	if (buf_failed(&o->held))
		return fail(RETRY, why, "out of memory");
	while (left > 0) {
		ssize_t n = write(o->fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(RETRY, why, "%s", errno == ENOSPC ? REASON_DISK_FULL : strerror(errno));
		at += n;
		left -= (size_t)n;
	}
	buf_clear(&o->held);
	return OK;
}

enum err output_put(struct output *o, struct span s, struct reason *why)
{
	buf_put(&o->held, s);
	o->bytes += s.len;
	return o->held.len < HELD_BYTES ? OK : write_out(o, why);
}

static enum err name_it(struct output *o, struct reason *why)
{
	if (fsync(o->fd) != 0 || rename(o->part, o->path) != 0)
		return fail(RETRY, why, "%s", errno == ENOSPC ? REASON_DISK_FULL : strerror(errno));
	return OK;
}

enum err output_end(struct output *o, bool keep, struct reason *why)
{
	enum err e = keep ? write_out(o, why) : OK;

	if (e == OK && keep && o->part)
		e = name_it(o, why);
	if (close(o->fd) != 0 && e == OK && keep)
		e = fail(RETRY, why, "%s", strerror(errno));
	if (o->part && (e != OK || !keep))
		unlink(o->part);
	free(o->part);
	buf_done(&o->held);
	return e;
}
