/*
 * How chronyc is run and watched, with programs in its place that behave as a broken one might; the real one, with a
 * real chronyd, is in e2e/test_chrony.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/chrony.h"
#include "shared/clock.h"
#include "tests/support/eventually.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define LONG_MS 20000
#define GOOD                                                                                        \
	"C0A80101,192.168.1.1,3,1795707639.0,-0.000100000,0.0,0.0,-0.021,-0.003,0.067,0.000200000," \
	"0.000300000,1.0,Normal"

struct bench {
	char dir[64], program[96], state[96];
	int stop_fd;
};

/* The kernel's bound, where nobody knows better: linked with --wrap. */
struct timex;
int __wrap_ntp_adjtime(struct timex *t);
int __wrap_ntp_adjtime(struct timex *t)
{
	(void)t;
	return -1;
}

static int set_up(void **state)
{
	static struct bench b;
	const char *tmp = getenv("TMPDIR");
	snprintf(b.dir, sizeof b.dir, "%.40s/chronyc.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(b.dir));
	snprintf(b.program, sizeof b.program, "%s/chronyc", b.dir);
	snprintf(b.state, sizeof b.state, "%s/answer", b.dir);
	b.stop_fd = eventfd(0, EFD_CLOEXEC);
	*state = &b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	chrony_stop();
	close(b->stop_fd);
	unlink(b->program);
	unlink(b->state);
	rmdir(b->dir);
	return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	char new[128];
	snprintf(new, sizeof new, "%s.new", path);
	int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(rename(new, path), 0);
}

static void program_is(const struct bench *b, const char *script)
{
	char text[512];
	snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
	write_file(b->program, text, 0700);
}

static struct chrony ask(const struct bench *b, int64_t timeout_ms, struct reason *why)
{
	struct chrony c = {0};
	*why = (struct reason){""};
	chrony_ask(b->program, timeout_ms, b->stop_fd, &c, why);
	return c;
}

static void reads_an_answer(void **state)
{
	struct bench *b = *state;
	struct reason why;
	program_is(b, "echo noise >&2; echo " GOOD);
	struct chrony c = ask(b, LONG_MS, &why);
	assert_int_equal(c.state, CHRONY_SYNCHRONISED);
	assert_int_equal(c.error_us, 500);
}

/* No shell between, an English answer, and nothing of this process: not its environment, not its descriptors. */
static void hands_over_only_what_it_must(void **state)
{
	struct bench *b = *state;
	struct reason why;
	char script[256];
	int kept = dup(1); /* without FD_CLOEXEC */
	setenv("SECRET", "x", 1);
	snprintf(script, sizeof script,
		"[ \"$*\" = '-c -n -m timeout 1000 retries 0 tracking' ] && [ \"$LC_ALL\" = C ] && "
		"[ -z \"$SECRET\" ] && [ ! -e /proc/$$/fd/%d ] && echo " GOOD,
		kept);
	program_is(b, script);
	assert_int_equal(ask(b, LONG_MS, &why).state, CHRONY_SYNCHRONISED);
	unsetenv("SECRET");
	close(kept);
}

static void what_is_no_reading_has_a_state(void **state)
{
	static const struct {
		const char *script;
		enum chrony_state state;
		const char *why;
	} rows[] = {
		{"echo 506 Cannot talk to daemon; exit 1", CHRONY_SILENT,
			"chronyc: 506 Cannot talk to daemon"},
		{"echo 501 Not authorised; exit 1", CHRONY_SILENT, "chronyc: 501 Not authorised"},
		{"exit 1", CHRONY_UNREADABLE, "not one line of 14 fields"},
		{"echo '<html>'", CHRONY_UNREADABLE, "not one line of 14 fields"},
		{"yes", CHRONY_UNREADABLE, "chronyc printed more than 1024 bytes"},
		{"kill -9 $$", CHRONY_UNREADABLE, "not one line of 14 fields"},
		{"printf %s " GOOD, CHRONY_UNREADABLE, "not one line of 14 fields"},
	};
	struct bench *b = *state;
	struct reason why;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		program_is(b, rows[i].script);
		assert_int_equal(ask(b, LONG_MS, &why).state, rows[i].state);
		assert_string_equal(why.text, rows[i].why);
	}
}

static void a_missing_program_is_missing(void **state)
{
	struct bench *b = *state;
	struct reason why;
	assert_int_equal(ask(b, LONG_MS, &why).state, CHRONY_MISSING);
	assert_non_null(strstr(why.text, "No such file"));
	write_file(b->program, "#!/bin/sh\n", 0600);
	assert_int_equal(ask(b, LONG_MS, &why).state, CHRONY_MISSING);
}

/* Is it no more, but for a parent that has yet to hear of it? */
static bool is_dead(int pid)
{
	char path[64], letter = 'Z';
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return true;
	int n = fscanf(f, "%*d (%*[^)]) %c", &letter);
	fclose(f);
	return n != 1 || letter == 'Z' || letter == 'X';
}

/* It, when the call returns; and what it started, which was told to end at the same time. */
static void a_silent_program_is_ended_in_time(void **state)
{
	struct bench *b = *state;
	struct reason why;
	char script[256];
	int pid = 0;
	int64_t began_us = clock_mono_us();
	snprintf(script, sizeof script, "sleep 100 & echo $! > %s; wait", b->state);
	program_is(b, script);
	assert_int_equal(ask(b, 2000, &why).state, CHRONY_SILENT);
	assert_string_equal(why.text, "chronyc gave no answer within 2000 ms");
	assert_in_range(clock_mono_us() - began_us, 2000000, LONG_MS * 1000);
	FILE *f = fopen(b->state, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);
	assert_true(EVENTUALLY(LONG_MS, is_dead(pid)));
}

static void a_stop_ends_it_at_once(void **state)
{
	struct bench *b = *state;
	struct reason why;
	const uint64_t one = 1;
	program_is(b, "exec sleep 100");
	assert_int_equal(write(b->stop_fd, &one, sizeof one), sizeof one);
	int64_t began_us = clock_mono_us();
	assert_int_equal(ask(b, LONG_MS, &why).state, CHRONY_UNKNOWN);
	assert_true(clock_mono_us() - began_us < LONG_MS * 1000 / 2);
}

/* A process that ignores SIGCHLD buries its children unasked. */
static void works_where_children_are_ignored(void **state)
{
	struct bench *b = *state;
	struct reason why;
	signal(SIGCHLD, SIG_IGN);
	program_is(b, "echo " GOOD);
	struct chrony c = ask(b, LONG_MS, &why);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(c.state, CHRONY_SYNCHRONISED);
}

/* --- the thread --- */

static enum chrony_state state_now(void)
{
	struct chrony c;
	chrony_now(&c);
	return c.state;
}

static void wait_for(enum chrony_state wanted)
{
	assert_true(EVENTUALLY(LONG_MS, state_now() == wanted));
}

static void start(const struct bench *b)
{
	const struct chrony_config config = {b->program, 5, LONG_MS};
	struct reason why;
	assert_int_equal(chrony_start(&config, &why), OK);
}

static void is_watched_as_it_changes(void **state)
{
	struct bench *b = *state;
	struct buf out = {0};
	char script[256];
	snprintf(script, sizeof script, "cat %s", b->state);
	write_file(b->state, GOOD "\n", 0600);
	program_is(b, script);
	assert_int_equal(clock_error_us(), -1);
	start(b);
	wait_for(CHRONY_SYNCHRONISED);
	assert_in_range(clock_error_us(), 500, 600);
	chrony_put_clock(&out);
	assert_non_null(strstr(out.at, "{\"synchronised\":true,\"error_us\":5"));
	assert_non_null(strstr(out.at, ",\"source\":\"chrony\",\"reason\":\"chronyd follows 192.168.1.1, "
				       "stratum 3, which told it "));
	assert_non_null(strstr(out.at, " s ago\",\"chrony\":{\"state\":"
				       "\"synchronised\",\"source\":\"192.168.1.1\""));
	write_file(b->state, "506 Cannot talk to daemon\n", 0600);
	wait_for(CHRONY_SILENT);
	assert_int_equal(clock_error_us(), -1); /* the kernel's word again */
	buf_clear(&out);
	chrony_put_clock(&out);
	assert_non_null(strstr(out.at, "{\"synchronised\":false,\"error_us\":null,\"source\":null,"
				       "\"reason\":\"chronyd does not answer: is it running?\","));
	write_file(b->state, GOOD "\n", 0600);
	wait_for(CHRONY_SYNCHRONISED);
	chrony_stop();
	struct chrony c;
	chrony_now(&c);
	assert_int_equal(c.state, CHRONY_UNKNOWN);
	assert_int_equal(clock_error_us(), -1);
	buf_done(&out);
}

static void stops_while_it_waits_for_an_answer(void **state)
{
	struct bench *b = *state;
	char script[256];
	struct stat st;
	snprintf(script, sizeof script, ": > %s; exec sleep 100", b->state);
	program_is(b, script);
	start(b);
	assert_true(EVENTUALLY(LONG_MS, stat(b->state, &st) == 0));
	int64_t began_us = clock_mono_us();
	chrony_stop();
	assert_true(clock_mono_us() - began_us < LONG_MS * 1000 / 2);
	chrony_stop(); /* again is harmless */
}

static void nobody_is_asked_without_a_program(void **state)
{
	(void)state;
	static const char *const none[] = {NULL, ""};
	struct reason why;
	for (int i = 0; i < 2; i++) {
		const struct chrony_config config = {none[i], 5, LONG_MS};
		assert_int_equal(chrony_start(&config, &why), OK);
	}
	struct chrony c;
	chrony_now(&c);
	assert_int_equal(c.state, CHRONY_UNKNOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_an_answer),
		TEST(hands_over_only_what_it_must),
		TEST(what_is_no_reading_has_a_state),
		TEST(a_missing_program_is_missing),
		TEST(a_silent_program_is_ended_in_time),
		TEST(a_stop_ends_it_at_once),
		TEST(works_where_children_are_ignored),
		TEST(is_watched_as_it_changes),
		TEST(stops_while_it_waits_for_an_answer),
		TEST(nobody_is_asked_without_a_program),
	};
	return cmocka_run_group_tests_name("chrony_watch", tests, NULL, NULL);
}
