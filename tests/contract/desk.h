/*
 * desk - the centre's HTTP interface without a socket, for the tests of it: a store with one node, "a", and a scheduler that never starts.
 */
#ifndef TESTS_CONTRACT_DESK_H
#define TESTS_CONTRACT_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "central/routes.h"
#include "shared/clock.h"

#include <cmocka.h> /* last: its fail() is a macro */

struct desk {
	struct reason why;
	struct centre centre;
	struct router router;
	struct networks allowed;
	struct http_request q;
	struct http_reply r; /* of the last call */
};

static inline void must(struct desk *d, enum err e, const char *what)
{
	if (e != OK)
		fail_msg("%s: %s: %s", what, err_name(e), d->why.text);
}
#define MUST(call) must(d, (call), #call)

static inline int set_up(void **state)
{
	static struct desk desk;
	static unsigned number;
	struct desk *d = &desk;
	char url[64];
	memset(d, 0, sizeof *d);
	snprintf(url, sizeof url, "sqlite:file:/api%u?vfs=memdb", number++);
	struct store_config store = {.url = url};
	MUST(store_open(&d->centre.store, &store, &d->why));
	MUST(store_node_add(d->centre.store, NULL, "a", "http://127.0.0.1:9", "", &d->why));
	networks_add_loopback(&d->allowed);
	struct scheduler_config s = {.store = d->centre.store, .allowed = &d->allowed, .interval_ms = 1000};
	MUST(scheduler_open(&d->centre.scheduler, &s, &d->why));
	d->centre.allowed = &d->allowed;
	d->centre.interval_ms = 1000;
	d->centre.started_us = clock_mono_us();
	central_routes_init(&d->router, &d->centre);
	*state = d;
	return 0;
}

static inline void forget(struct desk *d)
{
	http_reply_done(&d->r);
	arena_done(&d->q.arena);
}

static inline int tear_down(void **state)
{
	struct desk *d = *state;
	forget(d);
	scheduler_close(d->centre.scheduler);
	store_close(d->centre.store);
	return 0;
}

static inline int ask(
	struct desk *d, enum http_method m, const char *target, const char *body, const char *if_match)
{
	forget(d);
	d->q = (struct http_request){
		.method = m, .target = span_of(target), .body = span_of(body), .loopback = true};
	if (if_match)
		*(if_match[0] == '*' ? &d->q.if_none_match : &d->q.if_match) = span_of(if_match);
	d->r = (struct http_reply){0};
	router_dispatch(&d->router, &d->q, &d->r);
	assert_false(buf_failed(&d->r.body));
	return d->r.status;
}

#define EXPECT(d, status, ...)                                                                            \
	do {                                                                                              \
		int got_ = ask(d, __VA_ARGS__);                                                           \
		if (got_ != (status))                                                                     \
			fail_msg("%s: %d: %s", #__VA_ARGS__, got_, (d)->r.body.at ? (d)->r.body.at : ""); \
	} while (0)
#define GET(target) HTTP_GET, target, NULL, NULL

static inline void has(struct desk *d, const char *text)
{
	if (!strstr(d->r.body.at, text))
		fail_msg("no %s in %s", text, d->r.body.at);
}

#define DESK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
