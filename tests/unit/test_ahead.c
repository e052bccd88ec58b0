/* The next page of a refill, read while the one before is on its way: only when it is the next one indeed. */
#include "central/ahead.h"

#include "shared/seal.h"
#include "tests/unit/exchange_stage.h"

static const struct exchange_limits limits = EXCHANGE_LIMITS_DEFAULT;

enum err store_push_ahead(struct store *s, const char *node, const struct node_sync *basis, unsigned limit,
	size_t max_bytes, struct push_page *ret, struct reason *why)
{
	assert_string_equal(basis->sweep_after, "m");
	return store_push_page(s, node, basis, limit, max_bytes, ret, why);
}

/* A push of the sweep to "m" is on its way. */
static struct exchange sent(void)
{
	st.to_push = 1;
	struct exchange x = begin("a", PLAN_PUSH);

	strcpy(x.sent.sweep_to, "m");
	return x;
}

static void plans_what_the_sweep_finds_next(void **state)
{
	struct exchange x = sent();
	struct ahead a = {0};

	(void)state;
	assert_true(ahead_plan(&a, &x, &limits) && a.wanted);
	x.sent.sweep_ends = true;
	assert_false(ahead_plan(&a, &x, &limits) || a.wanted);
	x.sent.sweep_ends = false;
	x.sent.sweep_to[0] = '\0'; /* all that was sent differs */
	assert_false(ahead_plan(&a, &x, &limits) || a.wanted);
	strcpy(x.sent.sweep_to, "m");
	x.kind = PLAN_PULL;
	assert_false(ahead_plan(&a, &x, &limits) || a.wanted);
	ahead_done(&a);
	exchange_done(&x);
}

static void as_foreseen(struct node_sync *s, struct exchange_limits *l)
{
	(void)s;
	(void)l;
}

static void of_another_generation(struct node_sync *s, struct exchange_limits *l)
{
	(void)l;
	s->generation++;
}

static void of_another_epoch(struct node_sync *s, struct exchange_limits *l)
{
	(void)l;
	s->epoch = e2;
}

static void of_other_content(struct node_sync *s, struct exchange_limits *l)
{
	(void)l;
	s->life++;
}

static void swept_less(struct node_sync *s, struct exchange_limits *l)
{
	(void)l;
	strcpy(s->sweep_after, "k");
}

static void swept(struct node_sync *s, struct exchange_limits *l)
{
	(void)l;
	s->swept = true;
}

static void less_room(struct node_sync *s, struct exchange_limits *l)
{
	(void)s;
	l->push_bytes = 10;
}

static void takes_it_only_as_foreseen(void **state)
{
	static const struct {
		void (*change)(struct node_sync *s, struct exchange_limits *l);
		bool taken;
	} rows[] = {{as_foreseen, true}, {of_another_generation, false}, {of_another_epoch, false},
		{of_other_content, false}, {swept_less, false}, {swept, false}, {less_room, false}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct exchange_limits now = limits;
		struct ahead a = {0};
		struct exchange x, next = {0};
		struct node n;

		setup(state);
		x = sent();
		assert_true(ahead_plan(&a, &x, &limits));
		ahead_read(&a, &st, "a");
		n = node_named("a");
		strcpy(n.sync.sweep_after, "m");
		n.sync.witness.seq = 9; /* moved by the answer */
		rows[i].change(&n.sync, &now);
		assert_int_equal(ahead_take(&a, &st, &n, &now, &next), rows[i].taken);
		if (rows[i].taken) {
			assert_int_equal(next.kind, PLAN_PUSH);
			assert_int_equal(next.sent.n, 1);
			assert_non_null(strstr(next.target.at, "witness=9."));
			assert_non_null(strstr(next.target.at, "&check="));
			assert_true(seal_request_holds(buf_span(&next.target), buf_span(&next.body)));
			assert_non_null(strstr(next.body.at, "\"id\":\"p1\""));
			assert_int_equal(next.basis.witness.seq, 9);
			assert_string_not_equal(next.request.hex, x.request.hex);
		}
		assert_null(a.next);
		exchange_done(&next);
		exchange_done(&x);
	}
}

static void has_nothing_when_the_store_fails(void **state)
{
	struct exchange x = sent(), next;
	struct ahead a = {0};
	struct node n = node_named("a");

	(void)state;
	assert_true(ahead_plan(&a, &x, &limits));
	st.fails = RETRY;
	ahead_read(&a, &st, "a");
	strcpy(n.sync.sweep_after, "m");
	assert_false(ahead_take(&a, &st, &n, &limits, &next));
	exchange_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plans_what_the_sweep_finds_next, setup),
		cmocka_unit_test_setup(takes_it_only_as_foreseen, setup),
		cmocka_unit_test_setup(has_nothing_when_the_store_fails, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
