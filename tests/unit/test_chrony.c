/* What chronyc's one line means, and how it travels as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "shared/chrony.h"

#include <cmocka.h> /* last: its fail() is a macro */

/* The three kinds as chronyc 4.3 prints them. */
#define FOLLOWS                                                                                            \
	"C0A80101,192.168.1.1,3,1795707639.069742451,-0.000000955,-0.000000084,0.000000335,-0.021,-0.003," \
	"0.067,0.000005423,0.000001932,1.0,Normal\n"
#define ALONE                                                                                      \
	"7F7F0101,,10,1795707628.992274819,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000," \
	"0.000000000,0.000000000,0.0,Normal\n"
#define FREE                                                                                         \
	"00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000," \
	"1.000000000,0.0,Not synchronised\n"

static struct chrony parse(const char *line)
{
	struct chrony c = {0};
	struct reason why = {""};
	if (chrony_parse(span_of(line), &c, &why) != OK)
		fail_msg("%s: %s", why.text, line);
	return c;
}

static void reads_a_clock_that_is_kept(void **state)
{
	(void)state;
	struct chrony c = parse(FOLLOWS);
	assert_int_equal(c.state, CHRONY_SYNCHRONISED);
	assert_int_equal(c.reference_id, 0xC0A80101);
	assert_string_equal(c.source, "192.168.1.1");
	assert_int_equal(c.stratum, 3);
	assert_int_equal(c.leap, CHRONY_LEAP_NORMAL);
	assert_int_equal(c.offset_us, 1); /* a correction below zero: the clock is fast */
	assert_int_equal(c.root_delay_us, 6);
	assert_int_equal(c.root_dispersion_us, 2);
	assert_int_equal(c.error_us, 6); /* 0.955 + 5.423 / 2 + 1.932, up */
	assert_int_equal(c.frequency_ppb, -21);
	assert_int_equal(c.skew_ppb, 67);
	assert_int_equal(c.updated_at_us, 1795707639069743);
}

static void reads_the_bound(void **state)
{
	(void)state;
	/* correction, root delay, root dispersion → offset, error, state */
	static const struct {
		const char *correction, *delay, *dispersion;
		int64_t offset_us, error_us;
		enum chrony_state state;
	} rows[] = {
		{"0.000000000", "0.000000000", "0.000000001", 0, 1, CHRONY_SYNCHRONISED},
		{"0.002500000", "0.010000000", "0.001000000", -2500, 8500, CHRONY_SYNCHRONISED},
		{"-0.002500000", "0.010000000", "0.001000000", 2500, 8500, CHRONY_SYNCHRONISED},
		{"+0.000000499", "0.000000000", "0.000000000", 0, 1, CHRONY_SYNCHRONISED},
		{"0.000000500", "0.000000001", "0.000000000", -1, 1, CHRONY_SYNCHRONISED},
		{"15.999999000", "0.000000000", "0.000000000", -15999999, 15999999, CHRONY_SYNCHRONISED},
		{"-16.000000000", "0.000000000", "0.000000000", 0, 0, CHRONY_UNSYNCHRONISED},
		{"0.000000000", "0.000000000", "16.000000000", 0, 0, CHRONY_UNSYNCHRONISED},
		{"999999999.999999999", "999999999.999999999", "999999999.999999999", 0, 0,
			CHRONY_UNSYNCHRONISED},
	};
	struct buf line = {0};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&line);
		buf_printf(&line,
			"47505300,GPS,1,1795707639.5,%s,0.0,0.0,1.5,0.0,0.1,%s,%s,16.2,Insert second\n",
			rows[i].correction, rows[i].delay, rows[i].dispersion);
		struct chrony c = parse(line.at);
		assert_int_equal(c.state, rows[i].state);
		assert_int_equal(c.offset_us, rows[i].offset_us);
		assert_int_equal(c.error_us, rows[i].error_us);
		if (c.state == CHRONY_SYNCHRONISED)
			assert_int_equal(c.leap, CHRONY_LEAP_INSERT);
	}
	buf_done(&line);
}

/* Who follows nothing, or itself, knows no bound: nothing of the line's zeros is taken for one. */
static void reads_a_clock_that_is_not_kept(void **state)
{
	(void)state;
	struct chrony c = parse(ALONE);
	assert_int_equal(c.state, CHRONY_ALONE);
	assert_int_equal(c.stratum, 10);
	assert_int_equal(parse(FREE).state, CHRONY_UNSYNCHRONISED);
	assert_int_equal(
		parse("C0A80101,192.168.1.1,16,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n").state,
		CHRONY_UNSYNCHRONISED);
	assert_int_equal(
		parse("C0A80101,192.168.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Not synchronised\n")
			.state,
		CHRONY_UNSYNCHRONISED);
	assert_int_equal(parse("00000000,,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n").state,
		CHRONY_UNSYNCHRONISED);
}

static void refuses_everything_else(void **state)
{
	(void)state;
#define REST ",1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n"
	static const char *const rows[][2] = {
		{"", "not one line of 14 fields"},
		{"\n", "not one line of 14 fields"},
		{"506 Cannot talk to daemon\n", "not one line of 14 fields"},
		{"C0A80101,1.1.1.1,3" REST "more", "not one line of 14 fields"},
		{"C0A80101,1.1.1.1,3" REST REST, "not one line of 14 fields"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal",
			"not one line of 14 fields"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0\n", "not one line of 14 fields"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal,x\n",
			"not one line of 14 fields"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\r\n",
			"not one line of 14 fields"},
		{"C0A8010,1.1.1.1,3" REST, "reference id: not 8 hex digits"},
		{"C0A8010x,1.1.1.1,3" REST, "reference id: not 8 hex digits"},
		{"C0A80101,a\"b,3" REST, "source: neither an address nor a name"},
		{"C0A80101,a b,3" REST, "source: neither an address nor a name"},
		{"C0A80101,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,3" REST,
			"source: neither an address nor a name"},
		{"C0A80101,1.1.1.1,-3" REST, "stratum: not a number from 0 to 255"},
		{"C0A80101,1.1.1.1,256" REST, "stratum: not a number from 0 to 255"},
		{"C0A80101,1.1.1.1," REST, "stratum: not a number from 0 to 255"},
		{"C0A80101,1.1.1.1,3,x,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"reference time: not a number: x"},
		{"C0A80101,1.1.1.1,3,1.0,nan,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: nan"},
		{"C0A80101,1.1.1.1,3,1.0,1e-9,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: 1e-9"},
		{"C0A80101,1.1.1.1,3,1.0,.5,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: .5"},
		{"C0A80101,1.1.1.1,3,1.0,5.,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: 5."},
		{"C0A80101,1.1.1.1,3,1.0,-,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: -"},
		{"C0A80101,1.1.1.1,3,1.0,--1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: --1"},
		{"C0A80101,1.1.1.1,3,1.0,,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: "},
		{"C0A80101,1.1.1.1,3,1.0,1000000000.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: 1000000000.0"},
		{"C0A80101,1.1.1.1,3,1.0,0.00000000000000000000000,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"system time: not a number: 0.00000000000000000000000"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,-0.1,0.0,0.0,Normal\n",
			"a negative delay, dispersion, skew or time"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,-0.1,0.0,Normal\n",
			"a negative delay, dispersion, skew or time"},
		{"C0A80101,1.1.1.1,3,-1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n",
			"a negative delay, dispersion, skew or time"},
		{"C0A80101,1.1.1.1,3,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Fine\n",
			"leap status: not one of chronyd's"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct chrony c = {.state = CHRONY_SILENT, .stratum = 7};
		struct reason why = {""};
		assert_int_equal(chrony_parse(span_of(rows[i][0]), &c, &why), INVALID);
		assert_string_equal(why.text, rows[i][1]);
		assert_true(c.state == CHRONY_SILENT && c.stratum == 7);
	}
}

/* A line cut anywhere, or with any byte replaced, never crashes and never gives a text that needs an escape. */
static void stands_any_damage(void **state)
{
	(void)state;
	char line[] = FOLLOWS;
	struct reason why;
	struct chrony c;
	for (size_t i = 0; i < sizeof line - 1; i++) {
		assert_int_equal(chrony_parse((struct span){line, i}, &c, &why), INVALID);
		for (int b = 1; b < 256; b++) {
			char kept = line[i];
			line[i] = (char)b;
			if (chrony_parse(span_of(line), &c, &why) == OK && c.state == CHRONY_SYNCHRONISED)
				assert_null(strpbrk(c.source, "\"\\ ,\n"));
			line[i] = kept;
		}
	}
}

static void writes_what_it_knows_and_null(void **state)
{
	(void)state;
	static const char nothing[] =
		",\"source\":null,\"reference_id\":null,\"stratum\":%s,\"offset_us\":null,\"error_us\":null,"
		"\"root_delay_us\":null,\"root_dispersion_us\":null,\"frequency_ppb\":null,\"skew_ppb\":null,"
		"\"leap\":null,\"updated_at\":null,\"age_s\":null}";
	struct buf out = {0}, want = {0};
	struct chrony c = parse(FOLLOWS);
	assert_int_equal(c.age_s, -1);
	c.age_s = 7;
	chrony_put(&c, &out);
	assert_string_equal(out.at,
		"{\"state\":\"synchronised\",\"source\":\"192.168.1.1\",\"reference_id\":\"C0A80101\","
		"\"stratum\":3,\"offset_us\":1,\"error_us\":6,\"root_delay_us\":6,"
		"\"root_dispersion_us\":2,\"frequency_ppb\":-21,\"skew_ppb\":67,"
		"\"leap\":\"normal\",\"updated_at\":\"2026-11-26T15:40:39.069743Z\",\"age_s\":7}");
	for (int s = 0; s < CHRONY_STATES; s++) {
		if (s == CHRONY_SYNCHRONISED)
			continue;
		c = (struct chrony){.state = (enum chrony_state)s, .stratum = 10};
		buf_clear(&out);
		buf_clear(&want);
		chrony_put(&c, &out);
		buf_printf(&want, "{\"state\":\"%s\"", chrony_state_name(c.state));
		buf_printf(&want, nothing, s == CHRONY_ALONE ? "10" : "null");
		assert_string_equal(out.at, s == CHRONY_UNKNOWN ? "null" : want.at);
		assert_true(chrony_state_words(c.state)[0] != '\0');
	}
	buf_done(&out);
	buf_done(&want);
}

static void takes_what_it_writes(void **state)
{
	(void)state;
	struct buf out = {0};
	for (int s = 1; s < CHRONY_STATES; s++) {
		struct chrony c = {.state = (enum chrony_state)s, .stratum = s == CHRONY_ALONE ? 10 : 0}, got;
		if (s == CHRONY_SYNCHRONISED)
			c = parse(FOLLOWS);
		if (s == CHRONY_SYNCHRONISED)
			c.age_s = 4000000000;
		buf_clear(&out);
		chrony_put(&c, &out);
		assert_true(chrony_take(buf_span(&out), &got));
		if (s == CHRONY_SYNCHRONISED)
			assert_int_equal(got.age_s, 4000000000);
		assert_int_equal(got.state, c.state);
		assert_int_equal(got.stratum, c.stratum);
		assert_int_equal(got.reference_id, c.reference_id);
		assert_string_equal(got.source, c.source);
		assert_int_equal(got.leap, c.leap);
		assert_int_equal(got.offset_us, c.offset_us);
		assert_int_equal(got.error_us, c.error_us);
		assert_int_equal(got.root_delay_us, c.root_delay_us);
		assert_int_equal(got.root_dispersion_us, c.root_dispersion_us);
		assert_int_equal(got.frequency_ppb, c.frequency_ppb);
		assert_int_equal(got.skew_ppb, c.skew_ppb);
		assert_int_equal(got.updated_at_us, c.updated_at_us);
	}
	buf_done(&out);
}

/* From the other end: every member wrong in turn. */
static void takes_nothing_else(void **state)
{
	(void)state;
	static const char *const names[] = {"state", "source", "reference_id", "stratum", "offset_us",
		"error_us", "root_delay_us", "root_dispersion_us", "frequency_ppb", "skew_ppb", "leap",
		"updated_at", "age_s"};
	static const char *const wrong[] = {
		"true", "\"\\u0041\"", "\"a\\\"b\"", "-9223372036854775809", "1.5", "{}"};
	struct chrony c = parse(FOLLOWS), got = {.state = CHRONY_SILENT};
	struct buf whole = {0}, bad = {0};
	chrony_put(&c, &whole);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char member[32];
		snprintf(member, sizeof member, "\"%s\":", names[i]);
		const char *at = strstr(whole.at, member) + strlen(member), *end = at + strcspn(at, ",}");
		if (*at == '"')
			end = strchr(at + 1, '"') + 1;
		for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
			buf_clear(&bad);
			buf_add(&bad, whole.at, (size_t)(at - whole.at));
			buf_text(&bad, wrong[k]);
			buf_text(&bad, end);
			assert_false(chrony_take(buf_span(&bad), &got));
		}
	}
	assert_false(chrony_take(span_of("null"), &got));
	assert_false(chrony_take(span_of("{\"state\":\"unknown\"}"), &got));
	assert_false(chrony_take(span_of("{\"state\":\"silent\",\"state\":\"silent\"}"), &got));
	assert_int_equal(got.state, CHRONY_SILENT);
	assert_true(chrony_take(span_of("{\"new\":[1],\"state\":\"missing\"}"), &got));
	*strstr(whole.at, ",\"age_s\"") = '}'; /* a local from before there was an age */
	assert_true(chrony_take((struct span){whole.at, strcspn(whole.at, "}") + 1}, &got));
	assert_int_equal(got.age_s, -1);
	buf_done(&whole);
	buf_done(&bad);
}

static void says_who_keeps_the_clock(void **state)
{
	(void)state;
	struct chrony c = parse(FOLLOWS);
	struct reason got;
	chrony_describe(&c, 6, &got);
	assert_string_equal(got.text, "chronyd follows 192.168.1.1, stratum 3");
	c.age_s = 12;
	chrony_describe(&c, 6, &got);
	assert_string_equal(got.text, "chronyd follows 192.168.1.1, stratum 3, which told it 12 s ago");
	c.source[0] = '\0';
	chrony_describe(&c, 6, &got);
	assert_string_equal(got.text, "chronyd follows a source, stratum 3, which told it 12 s ago");
	c.state = CHRONY_SILENT;
	chrony_describe(&c, -1, &got);
	assert_string_equal(got.text, "chronyd does not answer: is it running?");
	chrony_describe(&c, 0, &got);
	assert_string_equal(
		got.text, "chronyd does not answer: is it running?; the kernel still vouches for the clock");
}

static void the_bound_has_a_source(void **state)
{
	(void)state;
	struct chrony c = {.state = CHRONY_SYNCHRONISED};
	assert_string_equal(chrony_source_of(&c, 5), "chrony");
	assert_null(chrony_source_of(&c, -1));
	c.state = CHRONY_SILENT;
	assert_string_equal(chrony_source_of(&c, 0), "kernel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_clock_that_is_kept),
		cmocka_unit_test(reads_the_bound),
		cmocka_unit_test(reads_a_clock_that_is_not_kept),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(stands_any_damage),
		cmocka_unit_test(writes_what_it_knows_and_null),
		cmocka_unit_test(takes_what_it_writes),
		cmocka_unit_test(takes_nothing_else),
		cmocka_unit_test(says_who_keeps_the_clock),
		cmocka_unit_test(the_bound_has_a_source),
	};
	return cmocka_run_group_tests_name("chrony", tests, NULL, NULL);
}
