#include "shared/stop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "shared/clock.h"

/* Both stay readable once they are: every waiter sees the stop, at any time after it. */
static int signals = -1, requests = -1;
static int hangups = -1; /* read by the wait that sees it */
static atomic_bool reload;

void stop_init(void)
{
	sigset_t set, hangup;
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_sigmask(SIG_BLOCK, &hangup, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, and no end */
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	hangups = signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK);
	requests = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signals < 0 || hangups < 0 || requests < 0)
		abort();
}

/* False: there was none, or another waiter took it, or it is a stop, which the caller sees when it looks again. */
static bool take_hangup(void)
{
	struct signalfd_siginfo info;
	if (read(hangups, &info, sizeof info) != (ssize_t)sizeof info)
		return false;
	if (info.ssi_code == SI_KERNEL) { /* nobody sent it: our terminal is gone */
		stop_request();
		return false;
	}
	atomic_store(&reload, true);
	return true;
}

bool stop_take_reload(void)
{
	return atomic_exchange(&reload, false);
}

bool stop_wait(int64_t timeout_ms)
{
	assert(signals >= 0);
	int64_t until = clock_mono_us() + timeout_ms * 1000;
	for (int64_t left = timeout_ms;;) {
		struct pollfd fds[] = {{signals, POLLIN, 0}, {requests, POLLIN, 0}, {hangups, POLLIN, 0}};
		int wait = timeout_ms < 0 ? -1 : left > 3600000 ? 3600000 : (int)left;
		int ready = poll(fds, 3, wait);
		assert(ready >= 0 || errno == EINTR);
		if (ready > 0 && (fds[0].revents || fds[1].revents))
			return true;
		if (ready > 0 && take_hangup())
			return false;
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
