/* What the resolver promises, with name servers that answer, refuse, or keep silent as a test wishes. */
#include "central/resolver.h"
#include "shared/clock.h"
#include "tests/support/gate.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- the name servers, and the clock --- */

static struct {
	atomic_uint asked;
	struct gate silent; /* lookups of names that begin with "silent", */
	struct gate left;   /* and those of them that have ended */
	const char *address;
	atomic_int trouble; /* what "shop" is answered instead */
} servers;
static atomic_int_fast64_t skipped_us;

int64_t __real_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void)
{
	return __real_clock_mono_us() + skipped_us;
}

static struct addrinfo *address_info(const char *text)
{
	struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in6));
	assert_non_null(a);
	a->ai_addr = (struct sockaddr *)(void *)(a + 1);
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	bool is_v4 = inet_pton(AF_INET, text, &v4.sin_addr) == 1;
	assert_true(is_v4 || inet_pton(AF_INET6, text, &v6.sin6_addr) == 1);
	memcpy(a->ai_addr, is_v4 ? (void *)&v4 : &v6, is_v4 ? sizeof v4 : sizeof v6);
	a->ai_family = is_v4 ? AF_INET : AF_INET6;
	return a;
}

int __wrap_getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
int __wrap_getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	servers.asked++;
	assert_null(service);
	assert_int_equal(hints->ai_socktype, SOCK_STREAM);
	if (!strncmp(name, "silent", 6)) {
		gate_pass(&servers.silent);
		gate_note(&servers.left);
		return EAI_AGAIN;
	}
	if (!strcmp(name, "nobody"))
		return EAI_NONAME;
	if (!strcmp(name, "shop") && servers.trouble)
		return servers.trouble;
	*ret = address_info(servers.address);
	(*ret)->ai_next = address_info("fd00::7");
	return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list)
{
	for (struct addrinfo *next; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}

/* --- the fixture --- */

struct fixture {
	struct resolver *resolver;
	struct gate news;
};

static void on_news(void *ctx)
{
	struct fixture *f = ctx;
	gate_note(&f->news);
}

static unsigned came(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	unsigned n = g->came;
	pthread_mutex_unlock(&g->lock);
	return n;
}

static int set_up(void **state)
{
	static struct fixture f;
	servers.asked = 0;
	servers.trouble = 0;
	servers.address = "10.1.2.3";
	gate_init(&servers.silent);
	gate_init(&servers.left);
	gate_init(&f.news);
	f.resolver = resolver_new(on_news, &f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	resolver_free(f->resolver); /* no lookup begins after it */
	gate_open(&servers.silent);
	assert_true(gate_wait(&servers.left, came(&servers.silent)));
	return 0;
}

static struct addresses found;
static struct reason why;

static enum resolver_result ask(struct fixture *f, const char *name)
{
	return resolver_ask(f->resolver, name, &found, &why);
}

/* Asks until somebody has an answer. */
static enum resolver_result learn(struct fixture *f, const char *name)
{
	for (;;) {
		unsigned before = came(&f->news);
		enum resolver_result r = ask(f, name);
		if (r != RESOLVER_WAIT)
			return r;
		assert_true(gate_wait(&f->news, before + 1));
	}
}

/* --- tests --- */

static void test_a_name_is_looked_up_once_and_then_known(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "shop"), RESOLVER_WAIT);
	assert_int_equal(learn(f, "shop"), RESOLVER_KNOWN);
	assert_string_equal(found.text, "10.1.2.3,[fd00::7]");
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_int_equal(servers.asked, 1);
}

static void test_an_unknown_name_says_so_and_is_not_asked_for_over_and_over(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(learn(f, "nobody"), RESOLVER_UNKNOWN);
	assert_non_null(strstr(why.text, "no name server knows its host name nobody"));
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask(f, "nobody"), RESOLVER_UNKNOWN);
	assert_int_equal(servers.asked, 1);
	skipped_us += RESOLVER_WRONG_US + 1000000;
	assert_int_equal(ask(f, "nobody"), RESOLVER_WAIT);
	assert_int_equal(learn(f, "nobody"), RESOLVER_UNKNOWN);
	assert_int_equal(servers.asked, 2);
}

/* Many names that no server answers about: they wait among themselves. */
static void test_silence_about_some_names_holds_up_no_other(void **state)
{
	struct fixture *f = *state;
	char name[32];
	for (unsigned i = 0; i < RESOLVER_THREADS - 1; i++) {
		snprintf(name, sizeof name, "silent-%u", i);
		assert_int_equal(ask(f, name), RESOLVER_WAIT);
	}
	assert_true(gate_wait(&servers.silent, RESOLVER_THREADS - 1));
	gate_open(&servers.silent);
	for (unsigned i = 0; i < RESOLVER_THREADS - 1; i++) {
		snprintf(name, sizeof name, "silent-%u", i);
		assert_int_equal(learn(f, name), RESOLVER_UNKNOWN);
		assert_non_null(strstr(why.text, "gave no answer"));
	}
	assert_true(gate_wait(&servers.left, RESOLVER_THREADS - 1));
	pthread_mutex_lock(&servers.silent.lock);
	servers.silent.open = false;
	pthread_mutex_unlock(&servers.silent.lock);
	skipped_us += RESOLVER_WRONG_US + 1000000;
	unsigned before = came(&servers.silent);
	for (unsigned i = 0; i < 50; i++) { /* again, and more than there are threads */
		snprintf(name, sizeof name, "silent-%u", i % (RESOLVER_THREADS - 1));
		assert_int_equal(ask(f, name), RESOLVER_WAIT);
	}
	assert_true(gate_wait(&servers.silent, before + RESOLVER_THREADS - 1));
	assert_int_equal(learn(f, "shop"), RESOLVER_KNOWN);
	assert_int_equal(learn(f, "depot"), RESOLVER_KNOWN);
}

static void test_what_was_found_is_used_while_it_is_looked_up_again(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(learn(f, "shop"), RESOLVER_KNOWN);
	servers.address = "10.9.9.9";
	skipped_us += RESOLVER_FRESH_US + 1000000;
	unsigned before = came(&f->news);
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_string_equal(found.text, "10.1.2.3,[fd00::7]");
	assert_true(gate_wait(&f->news, before + 1));
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_string_equal(found.text, "10.9.9.9,[fd00::7]");
}

static void refresh(struct fixture *f, int trouble)
{
	unsigned before = came(&f->news);
	servers.trouble = trouble;
	skipped_us += RESOLVER_FRESH_US + 1000000;
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_true(gate_wait(&f->news, before + 1));
}

static void test_servers_that_went_away_do_not_take_the_address_with_them(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(learn(f, "shop"), RESOLVER_KNOWN);
	refresh(f, EAI_AGAIN);
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_string_equal(found.text, "10.1.2.3,[fd00::7]");
	refresh(f, EAI_NONAME); /* but a plain no does */
	assert_int_equal(ask(f, "shop"), RESOLVER_UNKNOWN);
}

static void test_an_address_where_nobody_answers_is_looked_up_again_soon(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(learn(f, "shop"), RESOLVER_KNOWN);
	skipped_us += RESOLVER_WRONG_US + 1000000;
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_int_equal(servers.asked, 1);
	servers.address = "10.9.9.9";
	unsigned before = came(&f->news);
	resolver_doubt(f->resolver, "shop");
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_true(gate_wait(&f->news, before + 1));
	assert_int_equal(ask(f, "shop"), RESOLVER_KNOWN);
	assert_string_equal(found.text, "10.9.9.9,[fd00::7]");
}

static void test_closing_does_not_wait_for_a_silent_server(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "silent"), RESOLVER_WAIT);
	assert_true(gate_wait(&servers.silent, 1));
	unsigned before = came(&f->news);
	resolver_free(f->resolver); /* would hang otherwise: the gate is closed */
	f->resolver = NULL;
	assert_int_equal(came(&f->news), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_name_is_looked_up_once_and_then_known),
		TEST(test_an_unknown_name_says_so_and_is_not_asked_for_over_and_over),
		TEST(test_silence_about_some_names_holds_up_no_other),
		TEST(test_what_was_found_is_used_while_it_is_looked_up_again),
		TEST(test_servers_that_went_away_do_not_take_the_address_with_them),
		TEST(test_an_address_where_nobody_answers_is_looked_up_again_soon),
		TEST(test_closing_does_not_wait_for_a_silent_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
