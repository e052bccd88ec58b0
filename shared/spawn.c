#include "shared/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"

#define PART 4096

/* Our ends; -1: closed. */
struct child {
	pid_t pid;
	int life;    /* readable once it has ended */
	int in, out; /* to its standard input, from its output */
	size_t written;
};

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void usual_signals(posix_spawnattr_t *attr)
{
	sigset_t none, usual;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGXFSZ);
	sigaddset(&usual, SIGTERM);
	sigaddset(&usual, SIGINT);
	sigaddset(&usual, SIGHUP);
	posix_spawnattr_setflags(
		attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &usual);
}

/* `in` and `out` are above 2: see pipe_above(). */
static int start(const struct spawn *s, int in, int out, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	usual_signals(&attr);
	error = posix_spawn_file_actions_adddup2(&files, in, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, out, 1);
	if (error == 0 && s->errors)
		error = posix_spawn_file_actions_adddup2(&files, out, 2);
	else if (error == 0)
		error = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (error == 0) /* the lists are const to us, and to it in all but their type */
		error = posix_spawnp(ret, s->program, &files, &attr, (char *const *)(uintptr_t)s->arguments,
			(char *const *)(uintptr_t)s->environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* A daemon may have been started without the first three, which the child's are laid over. */
static int pipe_above(int ret[2])
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	ret[0] = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
	ret[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
	close(ends[0]);
	close(ends[1]);
	if (ret[0] >= 0 && ret[1] >= 0)
		return 0;
	shut(&ret[0]);
	shut(&ret[1]);
	return EMFILE;
}

static int begin(const struct spawn *s, struct child *c)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	int error = pipe_above(in);

	if (error == 0)
		error = pipe_above(out);
	if (error == 0)
		error = start(s, in[0], out[1], &c->pid);
	shut(&in[0]);
	shut(&out[1]);
	c->in = in[1];
	c->out = out[0];
	if (error != 0)
		return error;
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	c->life = pidfd_open(c->pid, 0);
	if (c->life < 0 && errno == ESRCH) { /* children are ignored, and this one has ended already */
		c->pid = 0;
	} else if (c->life < 0) { /* no descriptor left, or a kernel older than any that is supported */
		error = errno;
		kill(-c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return error;
}

/* What fits; a reader that has gone wants no more. */
static void feed(const struct spawn *s, struct child *c)
{
	ssize_t n = write(c->in, s->input.at + c->written, s->input.len - c->written);

	if (n >= 0)
		c->written += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		c->written = s->input.len;
	if (c->written == s->input.len)
		shut(&c->in);
}

/* False: too long.  At its end, and not before, c->out is -1. */
static bool take(const struct spawn *s, struct child *c, size_t before, struct buf *out)
{
	char part[PART];
	ssize_t n = read(c->out, part, sizeof part);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		shut(&c->out);
		return true;
	}
	size_t room = s->most - (out->len - before), got = (size_t)n;
	buf_add(out, part, got < room ? got : room);
	return got <= room || s->cut;
}

/* It has ended: what it left in the pipe, but nothing that somebody else may still write. */
static enum spawn_end drain(const struct spawn *s, struct child *c, size_t before, struct buf *out)
{
	for (size_t had = out->len; c->out >= 0; had = out->len) {
		if (!take(s, c, before, out))
			return SPAWN_TOO_LONG;
		if (out->len == had)
			break;
	}
	return SPAWN_ENDED;
}

static enum spawn_end attend(const struct spawn *s, struct child *c, struct buf *out)
{
	int64_t until_us = clock_mono_us() + s->timeout_ms * 1000;
	size_t before = out->len;

	if (s->input.len == 0)
		shut(&c->in);
	while (c->life >= 0 || c->out >= 0) {
		struct pollfd fds[] = {{s->stop_fd, POLLIN, 0}, {c->life, POLLIN, 0}, {c->out, POLLIN, 0},
			{c->in, POLLOUT, 0}};
		int64_t left_ms = (until_us - clock_mono_us() + 999) / 1000;

		if (left_ms <= 0)
			return SPAWN_LATE;
		if (poll(fds, 4, left_ms < 3600000 ? (int)left_ms : 3600000) <= 0)
			continue; /* a signal, or late */
		if (fds[0].revents)
			return SPAWN_STOPPED;
		if (fds[2].revents && !take(s, c, before, out))
			return SPAWN_TOO_LONG;
		if (fds[3].revents)
			feed(s, c);
		if (fds[1].revents)
			return drain(s, c, before, out);
	}
	return SPAWN_ENDED;
}

enum spawn_end spawn_run(const struct spawn *s, struct buf *out, int *ret_status)
{
	struct child c = {.life = -1, .in = -1, .out = -1};
	enum spawn_end how = SPAWN_NEVER;
	int status = begin(s, &c);

	if (status == 0) {
		how = attend(s, &c, out);
		if (c.pid > 0) {
			/* Whatever is left of the group; its leader waits to be waited for. */
			kill(-c.pid, SIGKILL);
			while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
				;
		}
	}
	shut(&c.life);
	shut(&c.in);
	shut(&c.out);
	*ret_status = status;
	return how;
}
