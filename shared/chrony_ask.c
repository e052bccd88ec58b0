#include <errno.h>
#include <string.h>

#include "shared/chrony.h"
#include "shared/spawn.h"

#define ANSWER_MAX 1024

/* One try of a second at each address where chronyd may be: by itself chronyc takes up to seven. */
static const char *const arguments[] = {
	"chronyc", "-c", "-n", "-m", "timeout 1000", "retries 0", "tracking", NULL};
/* Nothing else of ours: not a library that was preloaded into us, no token. */
static const char *const environment[] = {
	"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

static void judge(
	enum spawn_end how, struct span answer, int64_t timeout_ms, struct chrony *ret, struct reason *why)
{
	switch (how) {
	case SPAWN_ENDED:
		break;
	case SPAWN_LATE:
		(void)fail(RETRY, why, "chronyc gave no answer within %lld ms", (long long)timeout_ms);
		ret->state = CHRONY_SILENT;
		return;
	case SPAWN_TOO_LONG:
		(void)fail(INVALID, why, "chronyc printed more than %d bytes", ANSWER_MAX);
		return;
	case SPAWN_STOPPED:
		(void)fail(RETRY, why, "stopped");
		ret->state = CHRONY_UNKNOWN;
		return;
	case SPAWN_NEVER: /* chrony_ask() has said it */
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

void chrony_ask(const char *program, int64_t timeout_ms, int stop_fd, struct chrony *ret, struct reason *why)
{
	const struct spawn ask = {.program = program,
		.arguments = arguments,
		.environment = environment,
		.most = ANSWER_MAX,
		.timeout_ms = timeout_ms,
		.stop_fd = stop_fd};
	struct buf answer = {0};
	int status;

	*ret = (struct chrony){.state = CHRONY_UNREADABLE};
	enum spawn_end how = spawn_run(&ask, &answer, &status);
	if (how == SPAWN_NEVER) {
		ret->state = status == ENOENT || status == EACCES ? CHRONY_MISSING : CHRONY_UNREADABLE;
		(void)fail(RETRY, why, "%.80s: %s", program, strerror(status));
	}
	judge(how, buf_span(&answer), timeout_ms, ret, why);
	buf_done(&answer);
}
