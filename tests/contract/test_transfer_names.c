/* Hosts with names: looked up apart from the transfer, which waits only for those that it needs. */
#include "tests/contract/visited.h"

#include <netdb.h>

/*
 * The names that the product looks up.  libcurl's own lookups do not pass here, and would find none of
 * these names.
 */
static struct gate lookups;

int __wrap_getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
int __wrap_getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	(void)service;
	if (!strncmp(name, "silent", 6)) {
		gate_pass(&lookups);
		return EAI_AGAIN;
	}
	if (!strncmp(name, "nobody", 6))
		return EAI_NONAME;
	if (!strncmp(name, "far", 3))
		a.sin_addr.s_addr = htonl(0xc6336401); /* of TEST-NET-2 */
	*ret = calloc(1, sizeof **ret + sizeof a);
	assert_non_null(*ret);
	(*ret)->ai_family = AF_INET;
	(*ret)->ai_socktype = hints->ai_socktype;
	(*ret)->ai_addr = memcpy(*ret + 1, &a, sizeof a);
	return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list)
{
	free(list);
}

static void run_named(struct fixture *f, struct transfer_call *c, const char *name)
{
	unsigned before = f->finished.came;
	char path[64];
	f->host = name;
	start(f, c, "/ok");
	f->host = NULL;
	snprintf(path, sizeof path, "Host: %s:%d\r\n", name, f->peer.port);
	assert_true(gate_wait(&f->finished, before + 1));
	if (c->answer.result == POLL_OK)
		assert_non_null(strstr(f->peer.last, path));
}

static void test_a_named_host_is_reached_by_its_name(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"shop.invalid", "shop.invalid", "SHOP.invalid", "depot", "with-dot.invalid."};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct transfer_call c = {.lane = (unsigned)i};
		run_named(f, &c, names[i]);
		if (c.answer.result != POLL_OK)
			fail_msg("%s: %s", names[i], c.answer.why);
		transfer_call_done(&c);
	}
	assert_int_equal(peer_seen(&f->peer).requests, sizeof names / sizeof *names);
}

static void test_a_name_that_nobody_knows(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	run_named(f, &c, "nobody.invalid");
	assert_int_equal(c.answer.result, POLL_RESOLVE);
	assert_non_null(strstr(c.answer.why, "nobody.invalid"));
	transfer_call_done(&c);
}

static struct transfer_call late; /* started and cancelled while the thread starts another */

static void start_late(struct transfer_call *call)
{
	struct fixture *f = call->ctx;
	start(f, &late, "/silent");
	transfer_cancel(f->transfer, &late);
	gate_note(&f->finished);
}

static void test_a_call_that_is_cancelled_while_others_start_ends_at_once(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	late = (struct transfer_call){.timeout_ms = 60000};
	run_named(f, &c, "nobody.invalid"); /* known from now on: the next one ends while it is started */
	buf_clear(&c.url);
	buf_text(&c.url, "http://nobody.invalid/ok");
	c.done = start_late;
	c.ctx = f;
	transfer_start(f->transfer, &c);
	assert_true(gate_wait(&f->finished, 3));
	assert_true(late.cancelled);
	transfer_call_done(&c);
	transfer_call_done(&late);
}

/* Judged by the address, not by the name. */
static void test_a_name_outside_the_networks_is_refused(void **state)
{
	struct fixture *f = *state;
	struct transfer_call c = {0};
	run_named(f, &c, "far.invalid");
	assert_int_equal(c.answer.result, POLL_NETWORK);
	assert_non_null(strstr(c.answer.why, "--allow-network"));
	transfer_call_done(&c);
}

static void test_a_name_server_that_is_silent_holds_up_only_those_who_need_it(void **state)
{
	struct fixture *f = *state;
	struct transfer_call slow = {0}, cancelled = {0}, quick = {0};
	gate_init(&lookups);
	f->host = "silent.invalid";
	start(f, &slow, "/ok");
	start(f, &cancelled, "/ok");
	f->host = NULL;
	assert_true(gate_wait(&lookups, 1)); /* one lookup for both */
	for (unsigned i = 0; i < 5; i++)
		run(f, &quick, "/ok");
	assert_int_equal(quick.answer.result, POLL_OK);
	assert_int_equal(slow.answer.took_us, 0); /* still under way */
	transfer_cancel(f->transfer, &cancelled);
	assert_true(gate_wait(&f->finished, 6));
	assert_true(cancelled.cancelled);
	assert_true(gate_wait(&f->finished, 7));
	assert_int_equal(slow.answer.result, POLL_RESOLVE);
	assert_in_range(slow.answer.took_us, (TRANSFER_NAME_MS - 1) * 1000, (TRANSFER_NAME_MS + 3000) * 1000);
	assert_int_equal(lookups.came, 1);
	transfer_close(f->transfer); /* with the lookup still under way */
	f->transfer = NULL;
	gate_open(&lookups);
	transfer_call_done(&slow);
	transfer_call_done(&cancelled);
	transfer_call_done(&quick);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_named_host_is_reached_by_its_name),
		TEST(test_a_name_that_nobody_knows),
		TEST(test_a_name_outside_the_networks_is_refused),
		TEST(test_a_call_that_is_cancelled_while_others_start_ends_at_once),
		TEST(test_a_name_server_that_is_silent_holds_up_only_those_who_need_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
