#include "shared/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int ours; /* the supervisor's end */
static char name[64];

static int setup(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int len = snprintf(name, sizeof name, "@tidemark-test-supervisor-%d", (int)getpid());
	(void)state;
	memcpy(a.sun_path, name, (size_t)len);
	a.sun_path[0] = '\0';
	ours = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return ours >= 0 && bind(ours, (struct sockaddr *)&a,
				    (socklen_t)(offsetof(struct sockaddr_un, sun_path)) + (socklen_t)len) == 0
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	(void)state;
	return close(ours);
}

/* In a process of its own, as the environment is taken once. */
static int in_child(void (*run)(void), const char *socket_name, const char *usec, const char *pid)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char self[16];
		snprintf(self, sizeof self, "%d", (int)getpid());
		setenv("NOTIFY_SOCKET", socket_name, 1);
		if (usec)
			setenv("WATCHDOG_USEC", usec, 1);
		if (pid)
			setenv("WATCHDOG_PID", strcmp(pid, "self") == 0 ? self : pid, 1);
		supervisor_init();
		if (getenv("NOTIFY_SOCKET") || getenv("WATCHDOG_USEC") || getenv("WATCHDOG_PID"))
			_exit(100);
		run();
		_exit(supervisor_listens() ? 1 : 0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char *heard(void)
{
	static char text[1024];
	ssize_t n = recv(ours, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void speak(void)
{
	supervisor_status("%d nodes: %s", 3, "3 in_sync");
	supervisor_status("%d nodes: %s", 3, "3 in_sync"); /* nothing new */
	supervisor_status("a\nREADY=1");
	supervisor_starting(1500);
	supervisor_ready();
	supervisor_reloading();
	supervisor_alive();
	supervisor_stopping();
}

static void says_each_thing_in_its_datagram(void **state)
{
	(void)state;
	assert_int_equal(in_child(speak, name, NULL, NULL), 1);
	assert_string_equal(heard(), "STATUS=3 nodes: 3 in_sync");
	assert_string_equal(heard(), "STATUS=a");
	assert_string_equal(heard(), "EXTEND_TIMEOUT_USEC=1500000");
	assert_string_equal(heard(), "READY=1");
	assert_non_null(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_string_equal(heard(), "STOPPING=1");
	assert_string_equal(heard(), "");
}

/* What the other end does not take is dropped, and nobody waits: hundreds are more than a socket holds. */
static void chatter(void)
{
	for (int i = 0; i < 5000; i++)
		supervisor_alive();
}

static void nobody_waits_for_the_other_end(void **state)
{
	unsigned n = 0;
	(void)state;
	assert_int_equal(in_child(chatter, name, NULL, NULL), 1);
	while (heard()[0])
		n++;
	assert_in_range(n, 1, 4999);
	assert_int_equal(in_child(chatter, "/nonexistent/notify", NULL, NULL), 1);
}

/* Of a machine that starts, when all speak at once. */
static void speak_to_a_full_queue(void)
{
	chatter();
	supervisor_ready();
	supervisor_status("full");
	unsigned n = 0;
	for (const char *text; (text = heard())[0]; n++)
		if (strcmp(text, "WATCHDOG=1") != 0)
			_exit(50);
	supervisor_status("room again");
	supervisor_status("more");
	_exit(n > 0 && strcmp(heard(), "READY=1") == 0 && strcmp(heard(), "STATUS=room again") == 0 &&
				strcmp(heard(), "STATUS=more") == 0 && heard()[0] == '\0'
			? 51
			: 52);
}

static void that_it_is_ready_is_said_until_it_is_taken(void **state)
{
	(void)state;
	assert_int_equal(in_child(speak_to_a_full_queue, name, NULL, NULL), 51);
}

static void what_is_no_socket_is_none(void **state)
{
	char longer[200];
	static const char *const none[] = {"", "relative", "@", "/"};
	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		assert_int_equal(in_child(speak, none[i], "1000000", NULL), 0);
	memset(longer, 'x', sizeof longer);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(in_child(speak, longer, NULL, NULL), 0);
	assert_string_equal(heard(), "");
}

static void tell_alive_ms(void)
{
	_exit(supervisor_alive_ms() < 0 ? 99 : (int)supervisor_alive_ms());
}

static void the_watchdog_is_fed_in_a_quarter_of_its_time(void **state)
{
	static const struct {
		const char *usec, *pid;
		int ms;
	} rows[] = {{"200000", NULL, 50}, {"200000", "self", 50}, {"200000", "1", 99}, {"2000", NULL, 1},
		{"0", NULL, 99}, {"-4", NULL, 99}, {"4x", NULL, 99}, {"", NULL, 99}, {NULL, NULL, 99},
		{"99999999999999999999999", NULL, 99}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(in_child(tell_alive_ms, name, rows[i].usec, rows[i].pid), rows[i].ms);
	assert_int_equal(in_child(tell_alive_ms, "", "200000", NULL), 99);
}

static void want_alive(void)
{
	bool first = supervisor_wants_alive(), again = supervisor_wants_alive();
	_exit((first ? 1 : 0) + (again ? 2 : 0) + (supervisor_wait_ms(10000) == 5000 ? 4 : 0) +
		(supervisor_wait_ms(10) == 10 ? 8 : 0));
}

/* A wait is no longer than until it is wanted again. */
static void it_is_wanted_once_in_that_time(void **state)
{
	(void)state;
	assert_int_equal(in_child(want_alive, name, "20000000", NULL), 1 + 4 + 8);
	assert_int_equal(in_child(want_alive, name, NULL, NULL), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_each_thing_in_its_datagram),
		cmocka_unit_test(nobody_waits_for_the_other_end),
		cmocka_unit_test(that_it_is_ready_is_said_until_it_is_taken),
		cmocka_unit_test(what_is_no_socket_is_none),
		cmocka_unit_test(the_watchdog_is_fed_in_a_quarter_of_its_time),
		cmocka_unit_test(it_is_wanted_once_in_that_time),
	};
	return cmocka_run_group_tests_name("supervisor", tests, setup, teardown);
}
