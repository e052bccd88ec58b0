#include "shared/stop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "shared/clock.h"

/* Both stay readable once they are: every waiter sees the stop, at any time after it. */
static int signals = -1, requests = -1;

void stop_init(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, and no end */
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	requests = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signals < 0 || requests < 0)
		abort();
}

bool stop_wait(int64_t timeout_ms)
{
	assert(signals >= 0);
	int64_t until = clock_mono_us() + timeout_ms * 1000;
	for (int64_t left = timeout_ms;;) {
		struct pollfd fds[] = {{signals, POLLIN, 0}, {requests, POLLIN, 0}};
		int wait = timeout_ms < 0 ? -1 : left > 3600000 ? 3600000 : (int)left;
		int ready = poll(fds, 2, wait);
		if (ready > 0)
			return true;
		assert(ready == 0 || errno == EINTR);
		if (timeout_ms < 0)
			continue;
		left = (until - clock_mono_us() + 999) / 1000;
		if (left <= 0)
			return false;
	}
}

void stop_request(void)
{
	assert(requests >= 0);
	uint64_t one = 1;
	/* EAGAIN: asked 2^64 times already. */
	ssize_t written = write(requests, &one, sizeof one);
	(void)written;
}
