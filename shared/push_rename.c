/* POST /v1/epoch and its answer. */
#include "shared/push.h"

#include <string.h>

enum request_name { OF_CENTRE, OF_REQUEST, OF_PROTOCOL, OF_FROM, OF_TO, OF_WITNESS, REQUEST_NAMES };

static const struct span request_names[REQUEST_NAMES] = {
	[OF_CENTRE] = MEMBER("centre"),
	[OF_REQUEST] = MEMBER("request"),
	[OF_PROTOCOL] = MEMBER("protocol"),
	[OF_FROM] = MEMBER("from"),
	[OF_TO] = MEMBER("to"),
	[OF_WITNESS] = MEMBER("witness"),
};

void rename_request_encode(const struct rename_request *q, struct buf *body)
{
	buf_printf(
		body, "{\"centre\":\"%s\",\"request\":\"%s\",\"protocol\":\"", q->centre.hex, q->request.hex);
	protocol_encode(protocol_ours(), body);
	buf_printf(body, "\",\"from\":\"%s\",\"to\":\"%s\",\"witness\":\"", q->from.hex, q->to.hex);
	position_encode(q->witness, body);
	buf_text(body, "\"}");
}

static struct span inside(const struct json_value *text)
{
	return (struct span){text->raw.at + 1, text->raw.len - 2};
}

static enum err take_id(const struct members *m, size_t i, struct epoch *ret, struct reason *why)
{
	struct epoch e;

	if (!members_has(m, i) || m->values[i].kind != JSON_TEXT || !epoch_parse(inside(&m->values[i]), &e) ||
		epoch_is_none(&e))
		return members_refuse(m, i, why, "not 32 hex digits");
	*ret = e;
	return OK;
}

/* Left out it is version 1. */
static enum err take_protocol(const struct members *m, struct protocol_range *ret, struct reason *why)
{
	*ret = (struct protocol_range){1, 1};
	if (!members_has(m, OF_PROTOCOL))
		return OK;
	if (m->values[OF_PROTOCOL].kind != JSON_TEXT || !protocol_parse(inside(&m->values[OF_PROTOCOL]), ret))
		return members_refuse(m, OF_PROTOCOL, why, "not a range of versions like \"1\" or \"1-2\"");
	return OK;
}

enum err rename_request_decode(struct rename_request *ret, struct span body, struct reason *why)
{
	struct json_value values[REQUEST_NAMES] = {0};
	struct members m = {.names = request_names, .values = values, .n = REQUEST_NAMES};
	struct rename_request q = {0};
	enum err e;

	if ((e = members_read(&m, body, why)) || (e = take_id(&m, OF_CENTRE, &q.centre, why)) ||
		(e = take_id(&m, OF_REQUEST, &q.request, why)) || (e = take_protocol(&m, &q.protocol, why)) ||
		(e = take_id(&m, OF_FROM, &q.from, why)) || (e = take_id(&m, OF_TO, &q.to, why)))
		return e;
	if (epoch_equal(&q.from, &q.to))
		return members_refuse(&m, OF_TO, why, "the same as from");
	if (!members_has(&m, OF_WITNESS) || values[OF_WITNESS].kind != JSON_TEXT ||
		!position_parse(inside(&values[OF_WITNESS]), &q.witness))
		return members_refuse(&m, OF_WITNESS, why, "not a position like \"12.<32 hex digits>\"");
	*ret = q;
	return OK;
}

enum answer_name { OF_RESULT, OF_EPOCH, OF_ANSWERED, ANSWER_NAMES };

static const struct span answer_names[ANSWER_NAMES] = {
	[OF_RESULT] = MEMBER("result"),
	[OF_EPOCH] = MEMBER("epoch"),
	[OF_ANSWERED] = MEMBER("request"),
};

static const char *const results[] = {
	[RENAME_DONE] = "renamed",
	[RENAME_NOT_REWOUND] = "not_rewound",
};

void rename_answer_encode(
	enum rename_result r, const struct epoch *now, const struct epoch *request, struct buf *out)
{
	buf_printf(out, "{\"result\":\"%s\",\"epoch\":\"%s\",\"request\":\"%s\"}", results[r], now->hex,
		request->hex);
}

enum err rename_answer_decode(enum rename_result *ret, struct epoch *now, struct epoch *request,
	struct span body, struct reason *why)
{
	struct json_value values[ANSWER_NAMES] = {0};
	struct members m = {.names = answer_names, .values = values, .n = ANSWER_NAMES};
	struct epoch epoch, answered;
	bool done;
	enum err e;

	if ((e = members_read(&m, body, why)) || (e = take_id(&m, OF_EPOCH, &epoch, why)) ||
		(e = take_id(&m, OF_ANSWERED, &answered, why)))
		return e;
	if (!members_has(&m, OF_RESULT) || values[OF_RESULT].kind != JSON_TEXT)
		return members_refuse(&m, OF_RESULT, why, "not a text");
	done = span_is(inside(&values[OF_RESULT]), results[RENAME_DONE]);
	if (!done && !span_is(inside(&values[OF_RESULT]), results[RENAME_NOT_REWOUND]))
		return members_refuse(&m, OF_RESULT, why, "neither renamed nor not_rewound");
	*ret = done ? RENAME_DONE : RENAME_NOT_REWOUND;
	*now = epoch;
	*request = answered;
	return OK;
}
