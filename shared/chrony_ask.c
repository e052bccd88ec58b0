#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/chrony.h"
#include "shared/clock.h"

#define ANSWER_MAX 1024

/* One try of a second at each address where chronyd may be: by itself chronyc takes up to seven. */
static const char *const arguments[] = {
	"chronyc", "-c", "-n", "-m", "timeout 1000", "retries 0", "tracking", NULL};
/* Nothing else of ours: not a library that was preloaded into us, no token. */
static const char *const environment[] = {
	"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

/* A process group of its own with default signals, its output in `out`, none of our descriptors. */
static int spawn(const char *program, int out, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int error;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGTERM);
	sigaddset(&usual, SIGINT);
	sigaddset(&usual, SIGHUP);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	error = posix_spawn_file_actions_adddup2(&files, out, 1); /* first: `out` may be 0 or 2 */
	if (error == 0)
		error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (error == 0) /* the lists are const to us, and to it in all but their type */
		error = posix_spawnp(ret, program, &files, &attr, (char *const *)(uintptr_t)arguments,
			(char *const *)(uintptr_t)environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

enum end { ENDED, LATE, TOO_LONG, STOPPED };

/* Until the last writer of `from` has closed it. */
static enum end collect(int from, int stop_fd, int64_t until_us, struct buf *out)
{
	for (;;) {
		struct pollfd fds[] = {{from, POLLIN, 0}, {stop_fd, POLLIN, 0}};
		int64_t left_ms = (until_us - clock_mono_us() + 999) / 1000;
		char part[ANSWER_MAX];

		if (left_ms <= 0)
			return LATE;
		if (poll(fds, 2, (int)left_ms) <= 0)
			continue; /* a signal, or late */
		if (fds[1].revents)
			return STOPPED;
		ssize_t n = read(from, part, sizeof part);
		if (n < 0 && (errno == EINTR))
			continue;
		if (n <= 0)
			return ENDED;
		if (out->len + (size_t)n > ANSWER_MAX)
			return TOO_LONG;
		buf_add(out, part, (size_t)n);
	}
}

static void judge(
	enum end how, struct span answer, int64_t timeout_ms, struct chrony *ret, struct reason *why)
{
	switch (how) {
	case ENDED:
		break;
	case LATE:
		(void)fail(RETRY, why, "chronyc gave no answer within %lld ms", (long long)timeout_ms);
		ret->state = CHRONY_SILENT;
		return;
	case TOO_LONG:
		(void)fail(INVALID, why, "chronyc printed more than %d bytes", ANSWER_MAX);
		return;
	case STOPPED:
		(void)fail(RETRY, why, "stopped");
		ret->state = CHRONY_UNKNOWN;
		return;
	}
	if (chrony_parse(answer, ret, why) == OK)
		return;
	/* Its words for "nobody there" and "gave up waiting". */
	if (answer.len > 4 && (!strncmp(answer.at, "506 ", 4) || !strncmp(answer.at, "501 ", 4))) {
		const char *end = memchr(answer.at, '\n', answer.len);
		(void)fail(RETRY, why, "chronyc: %.*s", (int)(end ? end - answer.at : 3), answer.at);
		ret->state = CHRONY_SILENT;
	}
}

static void run(const char *program, int pipe_fds[2], int64_t timeout_ms, int stop_fd, struct chrony *ret,
	struct reason *why)
{
	struct buf answer = {0};
	pid_t pid;
	int64_t until_us = clock_mono_us() + timeout_ms * 1000;
	int error = spawn(program, pipe_fds[1], &pid);

	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	if (error != 0) {
		ret->state = error == ENOENT || error == EACCES ? CHRONY_MISSING : CHRONY_UNREADABLE;
		(void)fail(RETRY, why, "%.80s: %s", program, strerror(error));
		return;
	}
	enum end how = collect(pipe_fds[0], stop_fd, until_us, &answer);
	/* Whatever is left of it; one that closed its output by ending is not harmed. */
	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	judge(how, buf_span(&answer), timeout_ms, ret, why);
	buf_done(&answer);
}

void chrony_ask(const char *program, int64_t timeout_ms, int stop_fd, struct chrony *ret, struct reason *why)
{
	int fds[2];

	*ret = (struct chrony){.state = CHRONY_UNREADABLE};
	if (pipe2(fds, O_CLOEXEC) != 0) {
		(void)fail(RETRY, why, "no pipe: %s", strerror(errno));
		return;
	}
	run(program, fds, timeout_ms, stop_fd, ret, why);
	close(fds[0]);
}
