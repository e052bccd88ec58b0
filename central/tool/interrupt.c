#include "central/tool/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t came;

static void on_signal(int number)
{
	(void)number;
	came = 1;
}

void interrupt_take(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
}

bool interrupt_came(void)
{
	return came;
}

void interrupt_pause(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	if (!came)
		nanosleep(&t, NULL);
}

bool interrupt_nobody_reads(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return ferror(stdout) || (poll(&out, 1, 0) > 0 && (out.revents & POLLERR));
}
