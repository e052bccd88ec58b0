/* What an answer holds where it came packed: bounded as one that came as it is, and told apart from damage. */
#include "central/transfer_private.h"

#include "shared/utf8.h"

/* False: it comes in a way that was not asked for. */
static bool read_coding(const struct transfer_call *call, enum coding *ret, struct reason *why)
{
	struct curl_header *h = NULL;
	CURLHcode r = curl_easy_header(call->own.handle->easy, "Content-Encoding", 0, CURLH_HEADER, -1, &h);

	*ret = CODING_NONE;
	if (r == CURLHE_OUT_OF_MEMORY)
		err_out_of_memory();
	if (r != CURLHE_OK)
		return true;
	if (h->amount > 1) {
		(void)fail(
			INVALID, why, "its answer has %zu headers of the name Content-Encoding", h->amount);
		return false;
	}
	if (coding_parse(span_of(h->value), ret) && (*ret == CODING_NONE || call->own.packs))
		return true;
	(void)fail(INVALID, why, "its answer comes in the Content-Encoding %.60s, which was not asked for",
		h->value);
	utf8_mask(why->text);
	return false;
}

/* RFC 7694: without a word it takes what it always took. */
static enum coding read_taken(const struct transfer_call *call)
{
	struct curl_header *h = NULL;
	CURLHcode r = curl_easy_header(call->own.handle->easy, "Accept-Encoding", 0, CURLH_HEADER, -1, &h);

	if (r == CURLHE_OUT_OF_MEMORY)
		err_out_of_memory();
	return r == CURLHE_OK ? coding_choose(span_of(h->value)) : CODING_NONE;
}

enum coding transfer_call_takes(const struct transfer_call *call)
{
	return call->own.packs && call->packing != CODING_NEVER ? call->takes : CODING_NONE;
}

/* As it was packed it is held beside what comes out of it, until that is whole. */
static enum poll_result unpack(
	struct transfer_call *call, struct coding_unpacker *u, size_t held, struct reason *why)
{
	bool ended = false;

	while (!ended) {
		size_t left = call->max_bytes - call->reply.len;
		enum err e = coding_unpack(u, left + 1, &call->reply, &ended, why);
		if (e != OK)
			return e == INVALID ? POLL_BAD_BODY : POLL_NETWORK;
		if (call->reply.len > call->max_bytes) {
			call->too_large = true;
			(void)fail(INVALID, why, "the answer is larger than %zu bytes", call->max_bytes);
			return POLL_BAD_BODY;
		}
		if (!transfer_budget_take(call, held + call->reply.len)) {
			transfer_say_crowded_out(why);
			return POLL_NETWORK;
		}
	}
	return POLL_OK;
}

void transfer_call_unpack(struct transfer_call *call)
{
	struct buf packed = call->reply;
	struct reason why = {""};
	enum coding c;

	call->wire_bytes = packed.len;
	call->takes = read_taken(call);
	bool known = read_coding(call, &c, &why);
	call->packed = known && c != CODING_NONE;
	if (call->answer.result != POLL_OK)
		return;
	if (!known) {
		transfer_call_refuse(call, POLL_BAD_BODY, &why);
		buf_clear(&call->reply);
	}
	if (!call->packed || packed.len == 0)
		return;
	call->reply = (struct buf){0};
	struct coding_unpacker *u = coding_unpacker_new(c, buf_span(&packed));
	if (!u)
		err_out_of_memory();
	enum poll_result r = unpack(call, u, packed.len, &why);
	if (r != POLL_OK) {
		transfer_call_refuse(call, r, &why);
		buf_done(&call->reply);
	}
	coding_unpacker_free(u);
	buf_done(&packed);
}
