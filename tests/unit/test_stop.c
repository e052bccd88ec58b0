#include "shared/stop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Each case in a process of its own: a stop is for ever. */
static void in_child(void (*run)(void))
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		stop_init();
		run();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void must(bool holds)
{
	if (!holds)
		_exit(1);
}

static void by_signal(void)
{
	must(!stop_wait(0));
	must(!stop_wait(20));
	kill(getpid(), SIGTERM);
	must(stop_wait(-1));
	must(stop_wait(0));
}

static void by_interrupt(void)
{
	kill(getpid(), SIGINT);
	must(stop_wait(10000));
}

static void by_hangup(void)
{
	must(!stop_take_reload());
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGHUP);
	must(!stop_take_reload()); /* a wait sees it */
	must(!stop_wait(600000));  /* and ends */
	must(stop_take_reload());
	must(!stop_take_reload());
	must(!stop_wait(0));
	must(!stop_take_reload());
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGTERM);
	must(stop_wait(-1));
}

static void *request(void *unused)
{
	stop_request();
	return unused;
}

static void by_thread(void)
{
	pthread_t thread;
	must(pthread_create(&thread, NULL, request, NULL) == 0);
	must(stop_wait(-1));
	must(stop_wait(0));
	pthread_join(thread, NULL);
}

static void by_nothing(void)
{
	int ends[2];
	must(pipe(ends) == 0);
	close(ends[0]);
	must(write(ends[1], "x", 1) == -1);
	must(!stop_wait(0));
}

static void sees_sigterm(void **state)
{
	(void)state;
	in_child(by_signal);
}

static void sees_sigint(void **state)
{
	(void)state;
	in_child(by_interrupt);
}

static void sees_a_request(void **state)
{
	(void)state;
	in_child(by_thread);
}

static void a_hangup_is_a_wish_and_no_stop(void **state)
{
	(void)state;
	in_child(by_hangup);
}

static void a_broken_pipe_is_no_stop(void **state)
{
	(void)state;
	in_child(by_nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_sigterm),
		cmocka_unit_test(sees_sigint),
		cmocka_unit_test(sees_a_request),
		cmocka_unit_test(a_hangup_is_a_wish_and_no_stop),
		cmocka_unit_test(a_broken_pipe_is_no_stop),
	};
	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
