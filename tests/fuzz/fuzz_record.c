/* A record's line, and what people hand in: decode, encode, decode again. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hashes.h"

static void check_limits(const struct record *r)
{
	struct json_value v;

	MUST(record_owner_ok(r->owner) && record_id_ok(r->id) && record_type_ok(r->type));
	MUST(r->body.len <= RECORD_BODY_MAX && json_check(r->body, &v, NULL) == OK);
	MUST(v.raw.len == r->body.len && !memchr(r->body.at, '\n', r->body.len));
	MUST(!r->deleted || v.kind == JSON_NULL);
	MUST(r->dot.actor > 0 && r->dot.n > 0);
	MUST(!r->vv || version_covers(r->dot, r->vv, r->dot));
	MUST(r->created_at_us >= 0 && r->updated_at_us >= 0 && r->clock_error_us >= -1);
}

static bool same(const struct record *a, const struct record *b)
{
	return span_equal(a->owner, b->owner) && span_equal(a->id, b->id) && span_equal(a->type, b->type) &&
	       span_equal(a->body, b->body) && a->deleted == b->deleted &&
	       a->created_at_us == b->created_at_us && a->updated_at_us == b->updated_at_us &&
	       a->clock_error_us == b->clock_error_us && a->seq == b->seq && hash_equal(a->hash, b->hash) &&
	       hash_equal(record_hash(a), record_hash(b));
}

/* One line in, the same record back out of it, and the second time the same bytes. */
static void check_line(struct span line, struct span owner)
{
	const struct record_decode how = {.owner = owner};
	struct arena a = {0};
	struct record r, again;
	struct reason why = {""};
	struct buf first = {0}, second = {0};

	bool plain = record_decode(&r, line, &how, &a, &why) == OK;
	hashes_fit = true;
	bool bent = record_decode(&r, line, &how, &a, &why) == OK;
	hashes_fit = false;
	MUST(bent || (!plain && why.text[0]));
	if (bent) {
		check_limits(&r);
		if (plain)
			MUST(hash_equal(r.hash, record_hash(&r)));
		r.hash = record_hash(&r);
		record_encode(&r, &first);
		MUST(!buf_failed(&first) && first.len <= RECORD_LINE_MAX);
		MUST(record_decode(&again, buf_span(&first), &how, &a, &why) == OK);
		MUST(same(&r, &again));
		record_encode(&again, &second);
		MUST(span_equal(buf_span(&first), buf_span(&second)));
	}
	buf_done(&first);
	buf_done(&second);
	arena_done(&a);
}

static void check_drafts(struct span text, bool owner_wanted)
{
	struct drafts ds = {0};
	struct reason why = {""};
	const char *code = NULL;
	size_t line = 0, lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.at[i] == '\n';
	if (drafts_parse(&ds, text, owner_wanted, &line, &code, &why) != OK) {
		MUST(code && line >= 1 && line <= lines && why.text[0]);
		return;
	}
	for (size_t i = 0; i < ds.n; i++) {
		const struct draft *d = &ds.at[i];
		struct json_value v;

		MUST(!owner_wanted || record_owner_ok(d->owner));
		MUST(d->id.len == 0 || record_id_ok(d->id));
		MUST(record_type_ok(d->type));
		MUST(d->body.len <= RECORD_BODY_MAX && json_check(d->body, &v, NULL) == OK);
	}
	drafts_done(&ds);
}

static void check_put(struct span text)
{
	struct draft d = {0};
	struct arena a = {0};
	struct reason why = {""};
	const char *code = NULL;
	struct json_value v;

	if (draft_parse_put(&d, text, &a, &code, &why) == OK)
		MUST(record_type_ok(d.type) && json_check(d.body, &v, NULL) == OK);
	else
		MUST(code && why.text[0]);
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	unsigned what = fuzz_below(&f, 5);
	char *copy = fuzz_copy(fuzz_rest(&f));
	struct span text = {copy, fuzz_rest(&f).len};

	if (what < 2)
		check_line(text, span_of(what ? "site-a" : ""));
	else if (what < 4)
		check_drafts(text, what == 3);
	else
		check_put(text);
	free(copy);
	return 0;
}
