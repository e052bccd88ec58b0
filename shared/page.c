#include "shared/page.h"

#include <string.h>

#include "shared/clock.h"

/* --- the request --- */

void page_request_encode_basis(const struct page_request *q, struct buf *target)
{
	buf_text(target, "?centre=");
	buf_text(target, q->centre.hex);
	buf_text(target, "&request=");
	buf_text(target, q->request.hex);
	buf_text(target, "&protocol=");
	protocol_encode(protocol_ours(), target);
	buf_text(target, "&epoch=");
	buf_text(target, q->epoch.hex);
	buf_text(target, "&witness=");
	position_encode(q->witness, target);
}

void page_request_encode(const struct page_request *q, struct buf *target)
{
	buf_text(target, "/v1/changes");
	page_request_encode_basis(q, target);
	buf_printf(target, "&after=%llu&limit=%u&max_bytes=%u", (unsigned long long)q->after, q->limit,
		q->max_bytes);
	if (q->wait_ms > 0)
		buf_printf(target, "&wait=%lld", (long long)q->wait_ms);
	if (q->recount)
		buf_text(target, "&recount=1");
}

/* --- the first line --- */

enum begin_name { OF_NODE, OF_EPOCH, OF_REQUEST, OF_VERSION, OF_PROTOCOL, BEGIN_NAMES };

static const struct span begin_names[BEGIN_NAMES] = {
	[OF_NODE] = MEMBER("node"),
	[OF_EPOCH] = MEMBER("epoch"),
	[OF_REQUEST] = MEMBER("request"),
	[OF_VERSION] = MEMBER("version"),
	[OF_PROTOCOL] = MEMBER("protocol"),
};

void page_encode_begin(const struct page_begin *b, struct buf *out)
{
	buf_printf(out, "{\"node\":\"%s\",\"epoch\":\"%s\",\"request\":\"%s\",\"version\":", b->node,
		b->epoch.hex, b->request.hex);
	buf_json_text(out, span_of(b->version));
	buf_printf(out, ",\"protocol\":%u}\n", b->protocol);
}

static enum err take_id(const struct members *m, size_t i, struct epoch *ret, struct reason *why)
{
	struct span text;

	if (!members_has(m, i) || m->values[i].kind != JSON_TEXT || m->values[i].raw.len != 34)
		return members_refuse(m, i, why, "not 32 hex digits");
	text = (struct span){m->values[i].raw.at + 1, 32};
	return epoch_parse(text, ret) ? OK : members_refuse(m, i, why, "not 32 hex digits");
}

static enum err take_program(const struct members *m, struct page_begin *b, struct reason *why)
{
	struct span version;
	uint64_t protocol;
	enum err e;

	if (!members_has(m, OF_VERSION) || m->values[OF_VERSION].kind != JSON_TEXT)
		return members_refuse(m, OF_VERSION, why, "not a text");
	version = (struct span){m->values[OF_VERSION].raw.at + 1, m->values[OF_VERSION].raw.len - 2};
	if (version.len >= sizeof(b->version) || memchr(version.at, '\\', version.len) ||
		memchr(version.at, 0x7f, version.len)) /* which we would write with an escape */
		return members_refuse(m, OF_VERSION, why, "longer than 31 plain characters");
	memcpy(b->version, version.at, version.len);
	if ((e = members_u64(m, OF_PROTOCOL, &protocol, why)))
		return e;
	if (protocol > UINT32_MAX)
		return members_refuse(m, OF_PROTOCOL, why, "not a version");
	b->protocol = (unsigned)protocol;
	return OK;
}

enum err page_decode_begin(struct page_begin *ret, struct span body, struct reason *why)
{
	const char *stop = body.len > 0 ? memchr(body.at, '\n', body.len) : NULL;
	struct span line = {body.at, stop ? (size_t)(stop - body.at) : body.len};
	struct json_value values[BEGIN_NAMES] = {0};
	struct members m = {.names = begin_names, .values = values, .n = BEGIN_NAMES};
	struct page_begin b = {0};
	struct span node;
	enum err e;

	if ((e = members_read(&m, line, why)))
		return e;
	if (!members_has(&m, OF_NODE) || values[OF_NODE].kind != JSON_TEXT)
		return members_refuse(&m, OF_NODE, why, "not a text");
	node = (struct span){values[OF_NODE].raw.at + 1, values[OF_NODE].raw.len - 2};
	if (!record_owner_ok(node))
		return members_refuse(&m, OF_NODE, why, RECORD_OWNER_RULE);
	memcpy(b.node, node.at, node.len);
	if ((e = take_id(&m, OF_EPOCH, &b.epoch, why)) || (e = take_id(&m, OF_REQUEST, &b.request, why)) ||
		(e = take_program(&m, &b, why)))
		return e;
	*ret = b;
	return OK;
}

/* --- the last line --- */

enum end_name {
	OF_END,
	OF_TO_SEQ,
	OF_TO_HEAD,
	OF_HEAD_SEQ,
	OF_MORE,
	OF_DIGEST,
	OF_OLDEST,
	OF_RECV,
	OF_SEND,
	OF_CLOCK_ERROR,
	OF_CHRONY,
	OF_DAMAGED,
	OF_UNWELL,
	OF_APPLIED,
	END_NAMES,
};

static const struct span end_names[END_NAMES] = {
	[OF_END] = MEMBER("end"),
	[OF_TO_SEQ] = MEMBER("to_seq"),
	[OF_TO_HEAD] = MEMBER("to_head"),
	[OF_HEAD_SEQ] = MEMBER("head_seq"),
	[OF_MORE] = MEMBER("more"),
	[OF_DIGEST] = MEMBER("digest"),
	[OF_OLDEST] = MEMBER("oldest_after"),
	[OF_RECV] = MEMBER("t_recv_us"),
	[OF_SEND] = MEMBER("t_send_us"),
	[OF_CLOCK_ERROR] = MEMBER("clock_error_us"),
	[OF_CHRONY] = MEMBER("chrony"),
	[OF_DAMAGED] = MEMBER("damaged"),
	[OF_UNWELL] = MEMBER("unwell"),
	[OF_APPLIED] = MEMBER("applied"),
};

void page_encode_end(const struct page_end *e, struct buf *out)
{
	char head[33];

	hash_hex(e->to.head, head);
	buf_printf(out,
		"{\"end\":true,\"to_seq\":%llu,\"to_head\":\"%s\",\"head_seq\":%llu,\"more\":%s,\"digest\":",
		(unsigned long long)e->to.seq, head, (unsigned long long)e->head_seq,
		e->more ? "true" : "false");
	digest_encode(e->digest, out);
	buf_text(out, ",\"oldest_after\":");
	if (e->oldest_after_us < 0) {
		buf_text(out, "null");
	} else {
		buf_char(out, '"');
		buf_time(out, e->oldest_after_us);
		buf_char(out, '"');
	}
	buf_printf(out, ",\"t_recv_us\":%lld,\"t_send_us\":%lld,\"clock_error_us\":", (long long)e->t_recv_us,
		(long long)e->t_send_us);
	if (e->clock_error_us < 0)
		buf_text(out, "null");
	else
		buf_i64(out, e->clock_error_us);
	if (e->chrony.state != CHRONY_UNKNOWN) {
		buf_text(out, ",\"chrony\":");
		chrony_put(&e->chrony, out);
	}
	if (e->damage.known) {
		buf_printf(out,
			",\"damaged\":{\"records\":%llu,\"first\":", (unsigned long long)e->damage.records);
		buf_json_text(out, span_of(e->damage.first));
		buf_char(out, '}');
	}
	if (e->unwell.kinds) {
		buf_text(out, ",\"unwell\":");
		ailments_put(&e->unwell, out);
	}
	if (e->brief) {
		buf_text(out, ",\"applied\":");
		buf_u64(out, e->applied);
	}
	buf_text(out, "}\n");
}

/* Only told: it decides nothing.  False: not to be read; then nothing is known. */
static bool take_damage(struct span raw, struct page_damage *ret)
{
	static const struct span names[] = {MEMBER("records"), MEMBER("first")};
	struct json_value values[2] = {0};
	struct members m = {.names = names, .values = values, .n = 2};
	struct page_damage d = {.known = true};

	if (members_read(&m, raw, NULL) || members_u64(&m, 0, &d.records, NULL))
		return false;
	if (d.records > 0 && values[1].kind == JSON_TEXT && values[1].raw.at) {
		struct span id = {values[1].raw.at + 1, values[1].raw.len - 2};

		if (record_id_ok(id))
			memcpy(d.first, id.at, id.len);
	}
	*ret = d;
	return true;
}

static enum err take_digest(const struct members *end, struct digest *ret, struct reason *why)
{
	static const struct span names[] = {MEMBER("count"), MEMBER("sum")};
	struct json_value values[2] = {0};
	struct members m = {.names = names, .values = values, .n = 2};
	struct reason inner = {0};
	struct digest d = {0};

	if (!members_has(end, OF_DIGEST) || end->values[OF_DIGEST].kind != JSON_OBJECT)
		return members_refuse(end, OF_DIGEST, why, "not an object");
	if (members_read(&m, end->values[OF_DIGEST].raw, &inner) || members_u64(&m, 0, &d.count, &inner))
		return members_refuse(end, OF_DIGEST, why, inner.text);
	if (!members_has(&m, 1) || values[1].kind != JSON_TEXT ||
		!digest_parse_sum((struct span){values[1].raw.at + 1, values[1].raw.len - 2}, d.lane))
		return members_refuse(end, OF_DIGEST, why, "sum: not 32 hex digits");
	*ret = d;
	return OK;
}

static enum err take_place(const struct members *m, struct page_end *end, struct reason *why)
{
	const struct json_value *head = &m->values[OF_TO_HEAD];
	enum err e;

	if ((e = members_u64(m, OF_TO_SEQ, &end->to.seq, why)) ||
		(e = members_u64(m, OF_HEAD_SEQ, &end->head_seq, why)) ||
		(e = members_bool(m, OF_MORE, &end->more, why)))
		return e;
	if (!members_has(m, OF_TO_HEAD) || head->kind != JSON_TEXT ||
		!hash_parse((struct span){head->raw.at + 1, head->raw.len - 2}, &end->to.head))
		return members_refuse(m, OF_TO_HEAD, why, "not 32 hex digits");
	if (end->to.seq == 0 && !hash_is_none(end->to.head))
		return members_refuse(m, OF_TO_HEAD, why, "not zero at seq 0");
	if (end->to.seq > end->head_seq)
		return members_refuse(m, OF_TO_SEQ, why, "past head_seq");
	if (end->more != (end->to.seq < end->head_seq))
		return members_refuse(m, OF_MORE, why, "does not fit to_seq and head_seq");
	return OK;
}

static enum err take_times(const struct members *m, struct page_end *end, struct reason *why)
{
	const struct json_value *oldest = &m->values[OF_OLDEST];
	uint64_t n;
	enum err e;

	end->oldest_after_us = -1;
	if (!members_null(m, OF_OLDEST)) {
		if (oldest->kind == JSON_TEXT)
			end->oldest_after_us = clock_parse(oldest->raw.at + 1, oldest->raw.len - 2);
		if (end->oldest_after_us < 0)
			return members_refuse(m, OF_OLDEST, why, "not a time");
	}
	if ((e = members_i64(m, OF_RECV, &end->t_recv_us, why)) ||
		(e = members_i64(m, OF_SEND, &end->t_send_us, why)))
		return e;
	/* Only for people: what cannot be read of it is no reason to leave the records where they are. */
	if (members_has(m, OF_CHRONY) && !chrony_take(m->values[OF_CHRONY].raw, &end->chrony))
		end->chrony.state = CHRONY_UNKNOWN;
	end->clock_error_us = -1;
	if (members_null(m, OF_CLOCK_ERROR))
		return OK;
	if ((e = members_u64(m, OF_CLOCK_ERROR, &n, why)))
		return e;
	end->clock_error_us = (int64_t)n;
	return OK;
}

enum err page_decode_end(struct page_end *ret, struct span line, struct reason *why)
{
	struct json_value values[END_NAMES] = {0};
	struct members m = {.names = end_names, .values = values, .n = END_NAMES};
	struct page_end end = {0};
	enum err e;

	if ((e = members_read(&m, line, why)))
		return e;
	if (values[OF_END].kind != JSON_TRUE)
		return fail(INVALID, why, "truncated: the page's end is missing");
	if ((e = take_place(&m, &end, why)) || (e = take_digest(&m, &end.digest, why)) ||
		(e = take_times(&m, &end, why)))
		return e;
	end.brief = members_has(&m, OF_APPLIED);
	if (end.brief && (e = members_u64(&m, OF_APPLIED, &end.applied, why)))
		return e;
	if (values[OF_DAMAGED].kind == JSON_OBJECT)
		(void)take_damage(values[OF_DAMAGED].raw, &end.damage);
	if (values[OF_UNWELL].kind == JSON_OBJECT && !ailments_take(values[OF_UNWELL].raw, &end.unwell))
		end.unwell.kinds = 0;
	*ret = end;
	return OK;
}
