/* A page of the feed: what is taken is whole, in order, and comes back as the same bytes. */
#include "shared/page.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hashes.h"

/* Its records, and between them the lines that are none, as they came. */
static void encode(const struct page *p, struct buf *out)
{
	size_t r = 0;

	page_encode_begin(&p->begin, out);
	for (size_t i = 0; i < p->n; i++) {
		for (; r < p->n_refused && p->refused[r].claim.seq < p->records[i].seq; r++) {
			buf_put(out, p->refused[r].line);
			buf_char(out, '\n');
		}
		p->records[i].hash = record_hash(&p->records[i]);
		record_encode(&p->records[i], out);
		buf_char(out, '\n');
	}
	for (; r < p->n_refused; r++) {
		buf_put(out, p->refused[r].line);
		buf_char(out, '\n');
	}
	page_encode_end(&p->end, out);
	MUST(!buf_failed(out));
}

static void check_order(const struct page *p, struct span owner, uint64_t after)
{
	uint64_t last = after;

	for (size_t i = 0; i < p->n; i++) {
		MUST(span_equal(p->records[i].owner, owner));
		MUST(p->records[i].seq > last && p->records[i].seq <= p->end.to.seq);
		last = p->records[i].seq;
	}
	last = after;
	for (size_t i = 0; i < p->n_refused; i++) {
		const struct page_refused *r = &p->refused[i];

		MUST(r->why.text[0] && record_id_ok(r->claim.id));
		MUST(r->claim.seq > last && r->claim.seq <= p->end.to.seq);
		last = r->claim.seq;
	}
	MUST(span_is(owner, p->begin.node));
	MUST(p->n + p->n_refused <= PAGE_LIMIT_MAX && p->end.to.seq >= after);
	MUST(p->end.to.seq <= p->end.head_seq && p->end.more == (p->end.to.seq < p->end.head_seq));
}

static void check_again(const struct page *p, struct span owner, uint64_t after)
{
	struct buf first = {0}, second = {0};
	struct page again;
	struct reason why = {""};

	encode(p, &first);
	if (page_decode(&again, buf_span(&first), owner, after, &why) != OK) {
		fprintf(stderr, "%s\n%.*s", why.text, (int)first.len, first.at);
		abort();
	}
	MUST(again.n == p->n && again.n_refused == p->n_refused);
	encode(&again, &second);
	MUST(span_equal(buf_span(&first), buf_span(&second)));
	/* cut anywhere it is none */
	for (size_t i = 0, step = first.len / 16 + 1; i < first.len; i += step) {
		struct page cut;

		MUST(page_decode(&cut, (struct span){first.at, i}, owner, after, &why) == INVALID);
	}
	page_done(&again);
	buf_done(&first);
	buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	uint64_t after = fuzz_below(&f, 4);
	char *copy = fuzz_copy(fuzz_rest(&f));
	struct span body = {copy, fuzz_rest(&f).len}, owner = span_of("site-a");
	struct page p;
	struct reason why = {""};
	bool plain = page_decode(&p, body, owner, after, &why) == OK;

	if (plain)
		page_done(&p);
	hashes_fit = true;
	bool bent = page_decode(&p, body, owner, after, &why) == OK;
	hashes_fit = false;
	MUST(bent || (!plain && strncmp(why.text, "line ", 5) == 0));
	if (bent) {
		check_order(&p, owner, after);
		check_again(&p, owner, after);
		page_done(&p);
	}
	free(copy);
	return 0;
}
