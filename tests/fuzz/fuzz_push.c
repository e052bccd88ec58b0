/* A push and its answers, a rename and its answer: each line is judged alone, and what is taken comes back as the same. */
#include "shared/push.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hashes.h"

static const char owner[] = "site-a";

static size_t lines_of(struct span text)
{
	size_t n = text.len > 0 && text.at[text.len - 1] != '\n';

	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] == '\n';
	return n;
}

static void encode_items(const struct push *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		p->items[i].record.hash = record_hash(&p->items[i].record);
		push_item_encode(&p->items[i], out);
	}
}

static void check_push(struct span body)
{
	struct push p, again;
	struct reason why = {""};
	struct buf first = {0}, second = {0};

	hashes_fit = true;
	enum err e = push_decode(&p, body, span_of(owner), &why);
	hashes_fit = false;
	MUST(e == OK || lines_of(body) > PUSH_LIMIT_MAX);
	if (e != OK)
		return;
	MUST(p.n + p.n_bad == lines_of(body));
	for (size_t i = 0; i < p.n_bad; i++)
		MUST(p.bad[i].line >= 1 && p.bad[i].why.text[0] &&
			(!p.bad[i].id.len || record_id_ok(p.bad[i].id)));
	encode_items(&p, &first);
	MUST(push_decode(&again, buf_span(&first), span_of(owner), &why) == OK);
	MUST(again.n == p.n && again.n_bad == 0);
	encode_items(&again, &second);
	MUST(span_equal(buf_span(&first), buf_span(&second)));
	push_done(&p);
	push_done(&again);
	buf_done(&first);
	buf_done(&second);
}

static void encode_answers(const struct push_answers *p, struct buf *out)
{
	page_encode_begin(&p->begin, out);
	for (size_t i = 0; i < p->n; i++) {
		if (p->answers[i].has_record)
			p->answers[i].record.hash = record_hash(&p->answers[i].record);
		push_answer_encode(&p->answers[i], out);
	}
	page_encode_end(&p->end, out);
}

static void check_answers(struct span body)
{
	struct push_answers p, again;
	struct reason why = {""};
	struct buf first = {0}, second = {0};

	hashes_fit = true;
	enum err e = push_answers_decode(&p, body, span_of(owner), &why);
	hashes_fit = false;
	MUST(e == OK || strncmp(why.text, "line ", 5) == 0);
	if (e != OK)
		return;
	encode_answers(&p, &first);
	if (push_answers_decode(&again, buf_span(&first), span_of(owner), &why) != OK) {
		fprintf(stderr, "%s\n%.*s", why.text, (int)first.len, first.at);
		abort();
	}
	MUST(again.n == p.n);
	encode_answers(&again, &second);
	MUST(span_equal(buf_span(&first), buf_span(&second)));
	push_answers_done(&p);
	push_answers_done(&again);
	buf_done(&first);
	buf_done(&second);
}

static void check_rename(struct span body)
{
	struct rename_request q, again;
	struct reason why = {""};
	struct buf out = {0};

	if (rename_request_decode(&q, body, &why) != OK) {
		MUST(why.text[0]);
		return;
	}
	rename_request_encode(&q, &out);
	MUST(rename_request_decode(&again, buf_span(&out), &why) == OK);
	MUST(epoch_equal(&q.from, &again.from) && epoch_equal(&q.to, &again.to) &&
		position_equal(q.witness, again.witness));
	MUST(epoch_equal(&q.centre, &again.centre) && epoch_equal(&q.request, &again.request));
	MUST(!epoch_equal(&q.from, &q.to));
	buf_done(&out);
}

static void check_rename_answer(struct span body)
{
	enum rename_result r, again;
	struct epoch now, request, now_again, request_again;
	struct reason why = {""};
	struct buf out = {0};

	if (rename_answer_decode(&r, &now, &request, body, &why) != OK) {
		MUST(why.text[0]);
		return;
	}
	rename_answer_encode(r, &now, &request, &out);
	MUST(rename_answer_decode(&again, &now_again, &request_again, buf_span(&out), &why) == OK);
	MUST(r == again && epoch_equal(&now, &now_again) && epoch_equal(&request, &request_again));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	unsigned what = fuzz_below(&f, 4);
	char *copy = fuzz_copy(fuzz_rest(&f));
	struct span text = {copy, fuzz_rest(&f).len};

	switch (what) {
	case 0:
		check_push(text);
		break;
	case 1:
		check_answers(text);
		break;
	case 2:
		check_rename(text);
		break;
	default:
		check_rename_answer(text);
		break;
	}
	free(copy);
	return 0;
}
