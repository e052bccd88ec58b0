#include "central/exchange_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/build.h"
#include "shared/json.h"
#include "shared/json_check.h"
#include "shared/seal.h"

void exchange_wrong(struct outcome *out, enum poll_result r, const char *fmt, ...)
{
	struct reason text;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text.text, sizeof text.text, fmt, args);
	va_end(args);
	for (char *c = text.text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	out->result = r;
	out->why = text;
}

const struct epoch *exchange_asked_epoch(const struct exchange *x)
{
	return x->kind == PLAN_PROBE ? &x->basis.probe : &x->basis.epoch;
}

static const char *member(const struct json_doc *d, const char *name)
{
	const char *text = NULL;

	return json_doc_text(d, name, &text, NULL) == OK ? text : NULL;
}

/* Is it the node that was asked, and the request that it answers? */
static bool is_to_us(const struct exchange *x, const char *node, const char *request, struct outcome *out)
{
	if (strcmp(node, x->node) != 0)
		exchange_wrong(
			out, POLL_WRONG_NODE, "what answers there is the node %.63s, not %s", node, x->node);
	else if (strcmp(request, x->request.hex) != 0)
		exchange_wrong(out, POLL_BAD_BODY, "it answers another request than the one that was sent");
	else
		return true;
	return false;
}

/* The first line of a page or of the answers to a push. */
static enum answer_kind read_begin(const struct exchange *x, struct span body, struct outcome *out)
{
	struct page_begin b;
	struct json_value whole;
	struct reason why = {""};

	if (page_decode_begin(&b, body, &why) != OK) {
		if (!memchr(body.at, '\n', body.len) && json_check(body, &whole, NULL) != OK)
			exchange_wrong(out, POLL_BAD_BODY, "truncated in its first line");
		else
			exchange_wrong(out, POLL_NOT_TIDEMARK, "what answers there is no Tidemark local: %s",
				why.text);
		return ANSWER_WRONG;
	}
	if (!is_to_us(x, b.node, b.request.hex, out))
		return ANSWER_WRONG;
	if (!protocol_within(b.protocol, protocol_ours())) {
		exchange_wrong(out, POLL_INCOMPATIBLE,
			"the local (%s) answers in protocol %u, which it was not offered: it breaks the "
			"protocol",
			b.version, b.protocol);
		return ANSWER_WRONG;
	}
	if (epoch_equal(&b.epoch, exchange_asked_epoch(x)))
		return ANSWER_SERVED;
	exchange_wrong(out, POLL_BAD_BODY, "it answers for another epoch than the one it was asked for");
	return ANSWER_WRONG;
}

static enum answer_kind read_served(const struct exchange *x, struct span body, struct outcome *out)
{
	if (body.len == 0)
		exchange_wrong(out, POLL_BAD_BODY, "an empty answer");
	else if (body.at[0] != '{')
		exchange_wrong(out, POLL_NOT_TIDEMARK, "what answers there is no Tidemark local");
	else if (x->kind == PLAN_RENAME) /* one object, read as a whole */
		return ANSWER_SERVED;
	else
		return read_begin(x, body, out);
	return ANSWER_WRONG;
}

/* 409: the local's database is not the one the request was made for. */
static enum answer_kind read_moved(const struct exchange *x, const struct json_doc *d, bool rewound,
	struct epoch *now, struct outcome *out)
{
	const char *node = member(d, "node"), *request = member(d, "request"), *text = member(d, "epoch");
	struct epoch epoch;

	if (!is_to_us(x, node ? node : "?", request ? request : "", out))
		return ANSWER_WRONG;
	if (!text || !epoch_parse(span_of(text), &epoch) || epoch_is_none(&epoch)) {
		exchange_wrong(out, POLL_BAD_BODY, "it does not say its epoch");
		return ANSWER_WRONG;
	}
	/* Only one of the two can be true; believing the other would ask and answer for ever. */
	if (epoch_equal(&epoch, exchange_asked_epoch(x)) != rewound) {
		exchange_wrong(out, POLL_BAD_BODY, "it contradicts itself about its epoch");
		return ANSWER_WRONG;
	}
	*now = epoch;
	return rewound ? ANSWER_REWOUND : ANSWER_EPOCH_CHANGED;
}

/* The local says which versions it speaks; which end is too old follows from that. */
static void read_incompatible(const struct json_doc *d, const char *detail, struct outcome *out)
{
	struct protocol_range local = protocol_ours();
	struct reason words;
	uint64_t min, max;

	if (json_doc_u64(d, "min", &min, NULL) == OK && json_doc_u64(d, "max", &max, NULL) == OK &&
		min <= max && max <= UINT32_MAX)
		local = (struct protocol_range){(unsigned)min, (unsigned)max};
	if (protocol_shared(local, protocol_ours())) {
		exchange_wrong(
			out, POLL_INCOMPATIBLE, "400 incompatible: %.160s", detail ? detail : "no detail");
		return;
	}
	protocol_say(local, member(d, "version"), protocol_ours(), TIDEMARK_VERSION, &words);
	exchange_wrong(out, POLL_INCOMPATIBLE, "%s", words.text);
}

/* Does it refuse such a call itself, and would again?  (400 may be of a request that was altered on its way.) */
static bool is_refusal(int status)
{
	return status == 404 || status == 405 || status == 413;
}

static enum answer_kind read_problem(const struct exchange *x, const struct answer *a,
	const struct json_doc *d, struct epoch *now, struct outcome *out)
{
	const char *code = member(d, "code"), *detail = member(d, "detail");

	if (!code) {
		exchange_wrong(
			out, POLL_NOT_TIDEMARK, "what answers there (%d) is no Tidemark local", a->status);
		return ANSWER_WRONG;
	}
	if (a->status == 409 && strcmp(code, "epoch_changed") == 0)
		return read_moved(x, d, false, now, out);
	if (a->status == 409 && strcmp(code, "rewound") == 0)
		return read_moved(x, d, true, now, out);
	if (a->status == 400 && strcmp(code, "incompatible") == 0) {
		read_incompatible(d, detail, out);
		return ANSWER_WRONG;
	}
	if (a->status == 400 && strcmp(code, "tls_required") == 0) {
		exchange_wrong(out, POLL_TLS, "it speaks TLS alone: its URL must begin with https://");
		return ANSWER_WRONG;
	}
	exchange_wrong(out, POLL_HTTP, "%d %.40s: %.160s", a->status, code, detail ? detail : "no detail");
	return exchange_compares(x) && is_refusal(a->status) ? ANSWER_UNABLE : ANSWER_WRONG;
}

static void read_forbidden(const struct answer *a, struct outcome *out)
{
	struct json_doc *d = NULL;
	const char *code = NULL, *detail = NULL;

	if (json_doc_parse(&d, a->body, NULL) == OK) {
		code = member(d, "code");
		detail = member(d, "detail");
	}
	if (code && strcmp(code, "certificate_required") == 0)
		exchange_wrong(out, POLL_TLS, "it refused the centre's client certificate: %.200s",
			detail ? detail : "no detail");
	else
		exchange_wrong(
			out, POLL_UNAUTHORISED, "it refused the centre, or the host name in its URL (403)");
	json_doc_free(d);
}

enum answer_kind exchange_read_answer(
	const struct exchange *x, const struct answer *a, struct epoch *now, struct outcome *out)
{
	struct json_doc *d = NULL;
	enum answer_kind kind = ANSWER_WRONG;

	if (a->result != POLL_OK)
		exchange_wrong(out, a->result, "%s", a->why ? a->why : "");
	else if (!seal_holds(a->body))
		exchange_wrong(
			out, POLL_BAD_BODY, "the answer was altered on its way: its check does not fit");
	else if (a->status == 200)
		kind = read_served(x, a->body, out);
	else if (a->status == 401)
		exchange_wrong(out, POLL_UNAUTHORISED, "it refused the centre's token (401)");
	else if (a->status == 403)
		read_forbidden(a, out);
	else if (a->status >= 300 && a->status < 400)
		exchange_wrong(out, POLL_NOT_TIDEMARK,
			"it sends the centre elsewhere (%d), which is not followed", a->status);
	else if ((a->status == 404 && !exchange_compares(x)) || json_doc_parse(&d, a->body, NULL) != OK)
		exchange_wrong(
			out, POLL_NOT_TIDEMARK, "what answers there (%d) is no Tidemark local", a->status);
	else
		kind = read_problem(x, a, d, now, out);
	json_doc_free(d);
	return kind;
}

enum err exchange_settle(enum err e, struct outcome *out, struct reason *why)
{
	switch (e) {
	case OK:
		return OK;
	case CONFLICT:
	case GONE: /* removed meanwhile */
		out->stale = true;
		exchange_wrong(out, POLL_STALE, "the node moved while the answer was on its way: discarded");
		return OK;
	case INVALID:
		exchange_wrong(out, POLL_BAD_BODY, "%s", why->text);
		return OK;
	case RETRY:
	case UNCERTAIN:
	case DENIED:
	case INTERNAL:
		break;
	}
	exchange_wrong(out, POLL_STORE, "%s", why->text);
	return e;
}

void exchange_tell(struct outcome *out, const struct event *events, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!out->event.kind || events[i].level < out->event.level)
			out->event = events[i];
}
