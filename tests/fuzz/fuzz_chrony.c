/* What chronyc prints, and a local's word on its clock. */
#include "shared/chrony.h"
#include "shared/json_check.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct chrony *a, const struct chrony *b)
{
	struct buf one = {0}, other = {0};

	chrony_put(a, &one);
	chrony_put(b, &other);
	bool equal = span_equal(buf_span(&one), buf_span(&other));

	buf_done(&one);
	buf_done(&other);
	return equal;
}

/* Written as JSON and read again it is the same. */
static void check_again(const struct chrony *c)
{
	struct buf out = {0};
	struct chrony again = {0};
	struct json_value v;

	MUST(c->state != CHRONY_UNKNOWN && (unsigned)c->state < CHRONY_STATES);
	if (c->state == CHRONY_SYNCHRONISED) {
		MUST(c->stratum >= 1 && c->stratum <= CHRONY_STRATUM_MAX);
		MUST(c->error_us >= 0 && c->root_delay_us >= 0 && c->root_dispersion_us >= 0);
	}
	chrony_put(c, &out);
	MUST(json_check(buf_span(&out), &v, NULL) == OK);
	if (!chrony_take(buf_span(&out), &again)) {
		fprintf(stderr, "%.*s\n", (int)out.len, out.at);
		abort();
	}
	MUST(same(c, &again));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	bool json = fuzz_byte(&f) & 1;
	char *copy = fuzz_copy(fuzz_rest(&f));
	struct span text = {copy, fuzz_rest(&f).len};
	struct chrony c = {.stratum = 77}, before = c;
	struct reason why = {""};
	bool ok = json ? chrony_take(text, &c) : chrony_parse(text, &c, &why) == OK;

	if (ok)
		check_again(&c);
	else
		MUST(memcmp(&c, &before, sizeof c) == 0 && (json || why.text[0]));
	free(copy);
	return 0;
}
