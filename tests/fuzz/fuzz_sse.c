/* Server-sent events, as a centre's answer brings them: wherever the bytes are cut, the same messages come. */
#include "shared/sse.h"
#include "tests/fuzz/fuzz.h"

static enum err hear(void *ctx, const struct sse_message *m, struct reason *why)
{
	(void)why;
	MUST(m->name.len > 0 && !memchr(m->name.at, '\n', m->name.len) &&
		!memchr(m->name.at, '\r', m->name.len));
	MUST(m->data.len == 0 || !memchr(m->data.at, '\r', m->data.len));
	buf_printf(ctx, "%zu:", m->name.len);
	buf_add(ctx, m->name.at, m->name.len);
	buf_printf(ctx, "%zu:", m->data.len);
	buf_add(ctx, m->data.at, m->data.len);
	return OK;
}

/* Each piece is memory of its own, so that who reads past its end is found. */
static void read_in_pieces(struct span text, size_t piece, struct buf *ret)
{
	struct sse s = {.each = hear, .ctx = ret};
	struct reason why = {""};

	while (text.len > 0) {
		size_t n = text.len < piece ? text.len : piece;
		char *copy = fuzz_copy((struct span){text.at, n});

		MUST(sse_read(&s, (struct span){copy, n}, &why) == OK);
		free(copy);
		text = (struct span){text.at + n, text.len - n};
	}
	sse_done(&s);
	MUST(!buf_failed(ret));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	size_t piece = 1 + fuzz_byte(&f) % 16;
	struct span text = fuzz_rest(&f);
	struct buf whole = {0}, pieces = {0};

	read_in_pieces(text, SIZE_MAX, &whole);
	read_in_pieces(text, piece, &pieces);
	MUST(span_equal(buf_span(&whole), buf_span(&pieces)));
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
