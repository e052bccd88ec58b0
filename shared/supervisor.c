#include "shared/supervisor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"

#define STATUS_MAX_BYTES 512

static struct {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	int64_t watchdog_us;  /* -1: none */
	int64_t alive_due_us; /* monotonic */
	bool owes_ready;
	char status[STATUS_MAX_BYTES];
} supervisor = {.fd = -1, .watchdog_us = -1};

/* False: not the name of a socket. */
static bool set_address(const char *name)
{
	size_t len = strlen(name);
	if ((*name != '/' && *name != '@') || len < 2 || len >= sizeof supervisor.to.sun_path)
		return false;
	supervisor.to.sun_family = AF_UNIX;
	memcpy(supervisor.to.sun_path, name, len);
	if (*name == '@')
		supervisor.to.sun_path[0] = '\0';
	supervisor.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

/* The time is for the process that is named; for us where none is. */
static int64_t watchdog_us(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	if (!us || (pid && strtoimax(pid, &end, 10) != getpid()))
		return -1;
	intmax_t n = strtoimax(us, &end, 10);
	return n > 0 && n < INT64_MAX && *end == '\0' ? (int64_t)n : -1;
}

void supervisor_init(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (name && set_address(name))
		supervisor.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (supervisor.fd >= 0)
		supervisor.watchdog_us = watchdog_us();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

bool supervisor_listens(void)
{
	return supervisor.fd >= 0;
}

/* False: it was not taken, which is not waited for. */
static bool tell(const char *text)
{
	return supervisor_listens() &&
	       sendto(supervisor.fd, text, strlen(text), MSG_NOSIGNAL,
		       (const struct sockaddr *)&supervisor.to, supervisor.to_len) >= 0;
}

/* It waits for this alone, and ends who has not said it in time: while its queue is full, it is said again. */
void supervisor_ready(void)
{
	supervisor.owes_ready = supervisor_listens() && !tell("READY=1");
}

void supervisor_status(const char *fmt, ...)
{
	char text[STATUS_MAX_BYTES], line[STATUS_MAX_BYTES + 16];
	va_list args;
	if (supervisor.owes_ready)
		supervisor_ready();
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	text[strcspn(text, "\n")] = '\0'; /* one line: the next would be another variable */
	if (strcmp(text, supervisor.status) == 0)
		return;
	snprintf(line, sizeof line, "STATUS=%s", text);
	if (tell(line))
		memcpy(supervisor.status, text, sizeof text);
}

void supervisor_starting(int64_t more_ms)
{
	char line[64];
	snprintf(line, sizeof line, "EXTEND_TIMEOUT_USEC=%" PRId64, more_ms * 1000);
	(void)tell(line);
}

void supervisor_reloading(void)
{
	char line[64];
	snprintf(line, sizeof line, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
	(void)tell(line);
}

void supervisor_stopping(void)
{
	(void)tell("STOPPING=1");
}

int64_t supervisor_alive_ms(void)
{
	if (supervisor.watchdog_us < 0)
		return -1;
	return supervisor.watchdog_us < 4000 ? 1 : supervisor.watchdog_us / 4000;
}

bool supervisor_wants_alive(void)
{
	int64_t every_ms = supervisor_alive_ms(), now = clock_mono_us();
	if (every_ms < 0 || now < supervisor.alive_due_us)
		return false;
	supervisor.alive_due_us = now + every_ms * 1000;
	return true;
}

int64_t supervisor_wait_ms(int64_t most_ms)
{
	int64_t alive_ms = supervisor_alive_ms();
	return alive_ms >= 0 && alive_ms < most_ms ? alive_ms : most_ms;
}

void supervisor_alive(void)
{
	(void)tell("WATCHDOG=1");
}
