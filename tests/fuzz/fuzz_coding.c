/* What others packed: by whatever steps it is unpacked, the same comes of it, and never more than was allowed. */
#include "shared/coding.h"
#include "tests/fuzz/fuzz.h"

#define MOST ((size_t)1 << 18)

static enum err unpack(enum coding c, struct span packed, size_t step, struct buf *out, bool *ended)
{
	struct coding_unpacker *u = coding_unpacker_new(c, packed);
	struct reason why = {""};
	enum err e = OK;

	MUST(u);
	*ended = false;
	while (e == OK && !*ended && out->len < MOST) {
		size_t before = out->len;
		e = coding_unpack(u, step, out, ended, &why);
		MUST(out->len - before <= step);
	}
	MUST(e == OK || (e == INVALID && why.text[0]));
	coding_unpacker_free(u);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	enum coding c = fuzz_below(&f, 2) == 0 ? CODING_ZSTD : CODING_GZIP;
	size_t step = 1 + 64 * (size_t)fuzz_byte(&f);
	struct span text = fuzz_rest(&f);
	char *exact = malloc(text.len > 0 ? text.len : 1); /* so that who reads past its end is found */
	struct buf whole = {0}, pieces = {0}, again = {0}, back = {0};
	bool ended, ended_too;
	enum coding chosen = coding_choose(text);

	MUST(exact);
	MUST(chosen == CODING_NONE || coding_is_accepted(text, chosen));
	if (text.len > 0)
		memcpy(exact, text.at, text.len);
	struct span packed = {exact, text.len};
	enum err e = unpack(c, packed, MOST, &whole, &ended);
	enum err e_too = unpack(c, packed, step, &pieces, &ended_too);
	if (e == OK && ended) {
		MUST(e_too == OK && (ended_too || pieces.len >= MOST));
		MUST(!ended_too || span_equal(buf_span(&whole), buf_span(&pieces)));
		MUST(coding_pack(c, buf_span(&whole), &again));
		MUST(unpack(c, buf_span(&again), step, &back, &ended) == OK);
		MUST(!ended || span_equal(buf_span(&back), buf_span(&whole)));
	}
	buf_done(&whole);
	buf_done(&pieces);
	buf_done(&again);
	buf_done(&back);
	free(exact);
	return 0;
}
