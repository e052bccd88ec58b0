/* coding: which one is chosen, that what is packed comes back, and that nothing that was packed elsewhere costs more than it may. */
#include "shared/coding.h"
#include "tests/support/resident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <cmocka.h>

#define STEP 1000 /* of unpacking, so that it takes many */
#define BOMB_BYTES (64 << 20)

static const enum coding codings[] = {CODING_ZSTD, CODING_GZIP};

static void is_chosen_by_weight(void **unused)
{
	static const struct {
		const char *accepted;
		enum coding chosen;
	} cases[] = {
		{NULL, CODING_NONE},
		{"", CODING_NONE},
		{"zstd, gzip", CODING_ZSTD},
		{"gzip, zstd", CODING_ZSTD},
		{"gzip", CODING_GZIP},
		{"x-gzip", CODING_GZIP},
		{"GZip , br", CODING_GZIP},
		{"br, deflate, gzip;q=0.1, zstd;q=0", CODING_GZIP},
		{"zstd;q=0.4, gzip;q=0.5", CODING_GZIP},
		{"zstd;q=0.500, gzip;q=0.5", CODING_ZSTD},
		{"zstd ; q=1.000 , gzip ; q=1", CODING_ZSTD},
		{"identity, zstd;q=0.9", CODING_NONE},
		{"identity;q=0.9, zstd;q=0.9", CODING_ZSTD},
		{"identity;q=0, gzip", CODING_GZIP},
		{"identity;q=0", CODING_NONE},
		{"*", CODING_NONE},
		{"*;q=0, gzip", CODING_GZIP},
		{"gzip;q=0, gzip", CODING_NONE}, /* the first counts */
		{"zstd;q=0.0001, gzip;q=0.001", CODING_GZIP},
		{"zstd;q=1.001, gzip;q=2", CODING_NONE},
		{"zstd;q=, gzip;q=x", CODING_NONE},
		{"zstd;level=3, gzip;q=0.5", CODING_ZSTD},
		{"zstd;level=3;q=0.2, gzip;Q=0.5", CODING_GZIP},
		{",,;,zstdx,xzstd,\t,;q=1", CODING_NONE},
		{"zstd\x80, gzip", CODING_GZIP},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (coding_choose(span_of(cases[i].accepted)) != cases[i].chosen)
			fail_msg("%s", cases[i].accepted);
	assert_true(coding_is_accepted(span_of("br, gzip;q=0.001"), CODING_GZIP));
	assert_false(coding_is_accepted(span_of("br, gzip;q=0.000"), CODING_GZIP));
	assert_false(coding_is_accepted(span_of("br, *"), CODING_GZIP));
}

static void is_read_by_name(void **unused)
{
	static const struct {
		const char *name;
		bool known;
		enum coding coding;
	} cases[] = {
		{NULL, true, CODING_NONE},
		{"", true, CODING_NONE},
		{"identity", true, CODING_NONE},
		{"zstd", true, CODING_ZSTD},
		{" ZSTD\t", true, CODING_ZSTD},
		{"gzip", true, CODING_GZIP},
		{"x-gzip", true, CODING_GZIP},
		{"br", false, CODING_NONE},
		{"deflate", false, CODING_NONE},
		{"gzip, zstd", false, CODING_NONE},
		{"gzip,", false, CODING_NONE},
		{"zst", false, CODING_NONE},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum coding c = CODING_NONE;
		if (coding_parse(span_of(cases[i].name), &c) != cases[i].known || c != cases[i].coding)
			fail_msg("%s", cases[i].name);
	}
	assert_string_equal(coding_name(CODING_ZSTD), "zstd");
	assert_string_equal(coding_name(CODING_GZIP), "gzip");
	assert_null(coding_name(CODING_NONE));
}

/* --- there and back --- */

static enum err unpack_by(
	enum coding c, struct span packed, size_t step, size_t most, struct buf *out, struct reason *why)
{
	struct coding_unpacker *u = coding_unpacker_new(c, packed);
	bool ended = false;
	enum err e = OK;

	assert_non_null(u);
	while (e == OK && !ended && out->len < most) {
		size_t before = out->len;
		e = coding_unpack(u, step, out, &ended, why);
		assert_true(out->len - before <= step);
	}
	coding_unpacker_free(u);
	return e == OK && !ended ? CONFLICT : e;
}

static enum err unpack(enum coding c, struct span packed, struct buf *out, struct reason *why)
{
	return unpack_by(c, packed, STEP, SIZE_MAX, out, why);
}

/* As a page is, of many lines that resemble each other. */
static void make_lines(struct buf *to, int n)
{
	unsigned long long x = 88172645463325252ULL;

	for (int i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		buf_printf(to,
			"{\"id\":\"r%d\",\"type\":\"reading\",\"body\":{\"v\":%d},\"hash\":\"%016llx\"}\n", i,
			i % 7, x);
	}
}

static void comes_back_as_it_was(void **unused)
{
	static const int lines[] = {0, 1, 10, 3000};
	static const size_t steps[] = {1, 7, STEP, 1 << 24};
	struct reason why;

	(void)unused;
	for (size_t l = 0; l < 4; l++) {
		struct buf text = {0};
		make_lines(&text, lines[l]);
		for (size_t c = 0; c < 2; c++) {
			struct buf packed = {0};
			buf_text(&packed, "before");
			assert_true(coding_pack(codings[c], buf_span(&text), &packed));
			struct span p = {packed.at + 6, packed.len - 6};
			assert_memory_equal(packed.at, "before", 6);
			assert_true(lines[l] < 10 || p.len < text.len / 2);
			/* Who counts what waits to be read counts the bytes that are sent. */
			assert_true(packed.cap <= packed.len + 1);
			for (size_t s = lines[l] > 10 ? 1 : 0; s < 4; s++) {
				struct buf back = {0};
				assert_int_equal(
					unpack_by(codings[c], p, steps[s], SIZE_MAX, &back, &why), OK);
				assert_true(span_equal(buf_span(&back), buf_span(&text)));
				buf_done(&back);
			}
			buf_done(&packed);
		}
		buf_done(&text);
	}
}

/* What gains nothing stays as it is, in the memory where it is. */
static void packs_in_place_where_that_is_smaller(void **unused)
{
	(void)unused;
	for (size_t c = 0; c < 2; c++) {
		struct buf b = {0}, back = {0};
		struct reason why;
		make_lines(&b, 10);
		assert_true(b.len < CODING_LEAST_BYTES);
		assert_false(coding_pack_smaller(codings[c], &b));
		make_lines(&b, 100);
		const char *at = b.at;
		size_t len = b.len;
		assert_false(coding_pack_smaller(CODING_NONE, &b));
		assert_true(b.at == at && b.len == len);
		assert_true(coding_pack_smaller(codings[c], &b));
		assert_true(b.len < len);
		assert_int_equal(unpack(codings[c], buf_span(&b), &back, &why), OK);
		assert_int_equal(back.len, len);
		buf_clear(&b); /* by no means smaller */
		for (unsigned long long x = 88172645463325252ULL; b.len < 2 * (size_t)CODING_LEAST_BYTES;
			x ^= x >> 7, x ^= x << 17)
			x ^= x << 13, buf_add(&b, &x, sizeof x);
		at = b.at, len = b.len;
		assert_false(coding_pack_smaller(codings[c], &b));
		assert_true(b.at == at && b.len == len);
		buf_done(&b);
		buf_done(&back);
	}
}

/* --- what others packed --- */

static const struct packed {
	enum coding coding;
	const char *what;
	size_t len;
	const char *bytes;
	const char *says; /* NULL: it is "hello\n" */
} others[] = {
	/* Made by the programs zstd and gzip. */
	{CODING_ZSTD, "a stream, without its size, with a check", 19,
		"\x28\xb5\x2f\xfd\x04\x58\x31\x00\x00"
		"hello\n"
		"\x53\x88\xbd\x91",
		NULL},
	{CODING_ZSTD, "another check", 19,
		"\x28\xb5\x2f\xfd\x04\x58\x31\x00\x00"
		"hello\n"
		"\x53\x88\xbd\x90",
		"damaged"},
	{CODING_GZIP, "gzip -n", 26,
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06"
		"\x00\x00"
		"\x00",
		NULL},
	{CODING_GZIP, "another check", 26,
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x21\x30\x3a\x36\x06"
		"\x00\x00"
		"\x00",
		"damaged"},
	{CODING_GZIP, "zlib's frame", 14, "\x78\x9c\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x08\x4b\x02\x1f",
		"damaged"},
	{CODING_ZSTD, "nothing", 0, "", "cut short"},
	{CODING_GZIP, "nothing", 0, "", "cut short"},
	{CODING_ZSTD, "text", 6, "hello\n", "damaged"},
	{CODING_GZIP, "text", 6, "hello\n", "damaged"},
	/* A window of 16 MiB, one of 8, each with a raw block of 6 bytes, the last; then such a frame without its size. */
	{CODING_ZSTD, "a window too large", 15,
		"\x28\xb5\x2f\xfd\x00\x70\x31\x00\x00"
		"hello\n",
		"damaged"},
	{CODING_ZSTD, "the largest window", 15,
		"\x28\xb5\x2f\xfd\x00\x68\x31\x00\x00"
		"hello\n",
		NULL},
};

static void is_read_from_others(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const struct packed *p = &others[i];
		struct buf out = {0};
		struct reason why = {""};
		enum err e = unpack(p->coding, (struct span){p->bytes, p->len}, &out, &why);

		if (p->says ? e != INVALID || !strstr(why.text, p->says)
			    : e != OK || !span_is(buf_span(&out), "hello\n"))
			fail_msg("%s of %s: %s (%s)", p->what, coding_name(p->coding), err_name(e), why.text);
		buf_done(&out);
	}
}

static void is_refused_cut_at_any_byte(void **unused)
{
	(void)unused;
	for (size_t c = 0; c < 2; c++) {
		struct buf text = {0}, packed = {0};
		make_lines(&text, 40);
		assert_true(coding_pack(codings[c], buf_span(&text), &packed));
		for (size_t n = 0; n < packed.len; n++) {
			struct buf out = {0};
			struct reason why = {""};
			char *exact = malloc(n + 1); /* so that reading on is seen */
			memcpy(exact, packed.at, n);
			assert_int_equal(unpack(codings[c], (struct span){exact, n}, &out, &why), INVALID);
			assert_non_null(strstr(why.text, "cut short"));
			free(exact);
			buf_done(&out);
		}
		buf_done(&packed);
		buf_done(&text);
	}
}

static void is_refused_with_anything_behind_it(void **unused)
{
	(void)unused;
	for (size_t c = 0; c < 2; c++) {
		struct buf text = {0}, packed = {0}, out = {0};
		struct reason why = {""};
		make_lines(&text, 40);
		assert_true(coding_pack(codings[c], buf_span(&text), &packed));
		size_t whole = packed.len;
		buf_text(&packed, "x");
		assert_int_equal(unpack(codings[c], buf_span(&packed), &out, &why), INVALID);
		assert_non_null(strstr(why.text, "followed by 1 other bytes"));
		buf_clear(&out);
		packed.len = whole;
		assert_true(coding_pack(codings[c], buf_span(&text), &packed)); /* a second frame */
		assert_int_equal(unpack(codings[c], buf_span(&packed), &out, &why), INVALID);
		assert_non_null(strstr(why.text, "other bytes"));
		buf_done(&out);
		buf_done(&packed);
		buf_done(&text);
	}
}

/* Who stops at what may be held has spent that, and not what would have come. */
static void costs_what_was_taken_of_it(void **unused)
{
	char *zeros = calloc(1, BOMB_BYTES);

	(void)unused;
	assert_non_null(zeros);
	for (size_t c = 0; c < 2; c++) {
		struct buf bomb = {0}, out = {0};
		struct reason why;
		assert_true(coding_pack(codings[c], (struct span){zeros, BOMB_BYTES}, &bomb));
		assert_true(bomb.len < BOMB_BYTES / 200);
		long before_kib = resident_peak_kib();
		assert_int_equal(unpack_by(codings[c], buf_span(&bomb), STEP, 1 << 20, &out, &why), CONFLICT);
		assert_in_range(out.len, 1 << 20, (1 << 20) + STEP);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which keep what was freed */
		assert_true(resident_peak_kib() - before_kib < 12 * 1024);
#else
		(void)before_kib;
#endif
		buf_done(&out);
		buf_done(&bomb);
	}
	free(zeros);
}

/* --- no memory --- */

static bool without_memory; /* the libraries' own calls find none */

size_t __real_ZSTD_decompressStream(ZSTD_DStream *z, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
size_t __wrap_ZSTD_decompressStream(ZSTD_DStream *z, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
size_t __wrap_ZSTD_decompressStream(ZSTD_DStream *z, ZSTD_outBuffer *out, ZSTD_inBuffer *in)
{
	return without_memory ? (size_t)-ZSTD_error_memory_allocation
			      : __real_ZSTD_decompressStream(z, out, in);
}

int __real_inflate(z_streamp z, int flush);
int __wrap_inflate(z_streamp z, int flush);
int __wrap_inflate(z_streamp z, int flush)
{
	return without_memory ? Z_MEM_ERROR : __real_inflate(z, flush);
}

/* What came is not to blame for it: who sent it would be told that it is damaged, and not that it may come again. */
static void without_memory_it_is_not_damaged(void **unused)
{
	(void)unused;
	for (size_t c = 0; c < 2; c++) {
		struct buf packed = {0}, out = {0};
		struct reason why = {""};
		assert_true(coding_pack(codings[c], span_of("hello\n"), &packed));
		without_memory = true;
		assert_int_equal(unpack(codings[c], buf_span(&packed), &out, &why), RETRY);
		without_memory = false;
		assert_non_null(strstr(why.text, "no memory"));
		assert_int_equal(out.len, 0);
		assert_int_equal(unpack(codings[c], buf_span(&packed), &out, &why), OK);
		assert_true(span_is(buf_span(&out), "hello\n"));
		buf_done(&out);
		buf_done(&packed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_chosen_by_weight),
		cmocka_unit_test(is_read_by_name),
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(packs_in_place_where_that_is_smaller),
		cmocka_unit_test(is_read_from_others),
		cmocka_unit_test(is_refused_cut_at_any_byte),
		cmocka_unit_test(is_refused_with_anything_behind_it),
		cmocka_unit_test(costs_what_was_taken_of_it),
		cmocka_unit_test(without_memory_it_is_not_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
