/* Another program is run, whatever it does. */
#include "shared/clock.h"
#include "shared/spawn.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 20000

static const char *const environment[] = {"PATH=/usr/bin:/bin", "WORD=a b", NULL};

/* With a shell's text, and what a test changes. */
static enum spawn_end run(struct spawn s, const char *text, struct buf *out, int *status)
{
	const char *arguments[] = {"sh", "-c", text, NULL};
	s.program = s.program ? s.program : "/bin/sh";
	s.arguments = arguments;
	s.environment = environment;
	s.most = s.most ? s.most : 1000;
	s.timeout_ms = s.timeout_ms ? s.timeout_ms : LONG_MS;
	s.stop_fd = s.stop_fd ? s.stop_fd : -1;
	buf_clear(out);
	return spawn_run(&s, out, status);
}

static void test_its_output_and_status_are_told(void **state)
{
	struct buf out = {0};
	int status;
	(void)state;
	assert_int_equal(
		run((struct spawn){0}, "echo \"$WORD\"; echo no >&2; exit 3", &out, &status), SPAWN_ENDED);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	assert_string_equal(out.at, "a b\n");
	assert_int_equal(run((struct spawn){.errors = true}, "echo yes >&2", &out, &status), SPAWN_ENDED);
	assert_string_equal(out.at, "yes\n");
	assert_int_equal(run((struct spawn){0}, "kill -TERM $$", &out, &status), SPAWN_ENDED);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	buf_done(&out);
}

/* Only the three, of which none is ours; nothing of our environment; signals as usual. */
static void test_it_gets_nothing_of_ours(void **state)
{
	struct buf out = {0};
	int status, ours = dup(2);
	(void)state;
	assert_true(ours > 2);
	setenv("SECRET", "1", 1);
	assert_int_equal(
		run((struct spawn){.errors = true},
			"for i in 3 4 5 6 7 8 9; do eval \"echo x >&$i\" 2>/dev/null && echo $i; done; "
			"env | grep SECRET; grep -c SigIgn:.*0000000$ /proc/$$/status",
			&out, &status),
		SPAWN_ENDED);
	assert_string_equal(out.at, "1\n");
	unsetenv("SECRET");
	close(ours);
	buf_done(&out);
}

static void test_input_larger_than_a_pipe_goes_through_and_may_be_left(void **state)
{
	struct buf out = {0}, in = {0};
	int status;
	(void)state;
	while (in.len < 1000000)
		buf_text(&in, "0123456789");
	assert_int_equal(run((struct spawn){.input = buf_span(&in)}, "wc -c", &out, &status), SPAWN_ENDED);
	assert_int_equal(strtol(out.at, NULL, 10), in.len);
	assert_int_equal(run((struct spawn){.input = buf_span(&in), .most = 2000000}, "cat", &out, &status),
		SPAWN_ENDED);
	assert_true(span_equal(buf_span(&out), buf_span(&in)));
	assert_int_equal(run((struct spawn){.input = buf_span(&in)}, "exec <&-; echo done", &out, &status),
		SPAWN_ENDED);
	assert_string_equal(out.at, "done\n");
	assert_int_equal(run((struct spawn){0}, "cat; echo end", &out, &status), SPAWN_ENDED);
	assert_string_equal(out.at, "end\n");
	buf_done(&in);
	buf_done(&out);
}

static void test_too_much_output_ends_it_or_is_cut(void **state)
{
	struct buf out = {0};
	int status;
	(void)state;
	assert_int_equal(
		run((struct spawn){0}, "while :; do echo 0123456789; done", &out, &status), SPAWN_TOO_LONG);
	assert_int_equal(out.len, 1000);
	assert_int_equal(run((struct spawn){.cut = true}, "head -c 300000 /dev/zero | tr '\\0' x; exit 7",
				 &out, &status),
		SPAWN_ENDED);
	assert_int_equal(out.len, 1000);
	assert_int_equal(WEXITSTATUS(status), 7);
	buf_done(&out);
}

/* Is this process no more, or waits for somebody to take note of its end? */
static bool has_ended(long pid)
{
	char path[64], state = 'Z';
	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return true;
	int read = fscanf(f, "%*d %*s %c", &state);
	fclose(f);
	return read != 1 || state == 'Z';
}

static void assert_ends(long pid)
{
	int64_t until_us = clock_mono_us() + LONG_MS * 1000;
	assert_true(pid > 1);
	while (!has_ended(pid))
		assert_true(clock_mono_us() < until_us);
}

/* It prints the process id of what it has started. */
static void test_nothing_of_it_is_left(void **state)
{
	struct buf out = {0};
	int status;
	(void)state;
	assert_int_equal(run((struct spawn){.timeout_ms = 300}, "sleep 1000 & echo $!; wait", &out, &status),
		SPAWN_LATE);
	assert_ends(strtol(out.at, NULL, 10));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* One that ends, while another of its own still has its output open. */
	assert_int_equal(run((struct spawn){0}, "sleep 1000 & echo $!", &out, &status), SPAWN_ENDED);
	assert_ends(strtol(out.at, NULL, 10));
	/* One that has closed its output is waited for. */
	assert_int_equal(
		run((struct spawn){.timeout_ms = 300}, "exec >&- 2>&-; exec sleep 1000", &out, &status),
		SPAWN_LATE);
	buf_done(&out);
}

static void test_it_ends_when_we_are_to(void **state)
{
	struct buf out = {0};
	const uint64_t one = 1;
	int status, stop = eventfd(0, EFD_CLOEXEC);
	(void)state;
	assert_int_equal(write(stop, &one, sizeof one), sizeof one);
	assert_int_equal(run((struct spawn){.stop_fd = stop}, "sleep 1000", &out, &status), SPAWN_STOPPED);
	close(stop);
	buf_done(&out);
}

static void test_what_cannot_be_run_is_said(void **state)
{
	struct buf out = {0};
	int status;
	(void)state;
	assert_int_equal(run((struct spawn){.program = "/nowhere/at-all"}, "", &out, &status), SPAWN_NEVER);
	assert_int_equal(status, ENOENT);
	assert_int_equal(run((struct spawn){.program = "/etc/passwd"}, "", &out, &status), SPAWN_NEVER);
	assert_int_equal(status, EACCES);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_its_output_and_status_are_told),
		cmocka_unit_test(test_it_gets_nothing_of_ours),
		cmocka_unit_test(test_input_larger_than_a_pipe_goes_through_and_may_be_left),
		cmocka_unit_test(test_too_much_output_ends_it_or_is_cut),
		cmocka_unit_test(test_nothing_of_it_is_left),
		cmocka_unit_test(test_it_ends_when_we_are_to),
		cmocka_unit_test(test_what_cannot_be_run_is_said),
	};
	signal(SIGPIPE, SIG_IGN); /* as both programs do */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
