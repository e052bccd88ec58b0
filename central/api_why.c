#include "central/api_why.h"

#include "central/sight.h"
#include "shared/clock.h"

/* False: the reply has been filled. */
static bool look(struct centre *c, struct http_request *q, struct node_view *v, struct sight *ret,
	struct http_reply *r)
{
	struct store *st = c->store;
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return false;
	if (!scheduler_view(c->scheduler, name, v, NULL)) {
		http_problem(r, "not_found", "there is no node %s", name);
		return false;
	}
	sight_of(&st, v, NULL, ret);
	return true;
}

struct list {
	struct buf *out;
	const char *comma;
};

static void put_fact(void *ctx, const char *topic, struct span text)
{
	struct list *l = ctx;
	buf_printf(l->out, "%s{\"topic\":\"%s\",\"text\":", l->comma, topic);
	buf_json_text(l->out, text);
	buf_char(l->out, '}');
	l->comma = ",";
}

static void put_sentence(struct buf *out, const char *member, bool is, const struct buf *text)
{
	buf_printf(out, ",\"%s\":", member);
	if (is)
		buf_json_text(out, buf_span(text));
	else
		buf_text(out, "null");
}

static void put_head(struct buf *out, const struct node_view *v)
{
	buf_printf(
		out, "{\"name\":\"%s\",\"state\":\"%s\",\"since\":", v->node.name, node_state_name(v->state));
	buf_json_time(out, v->since_us);
	buf_text(out, ",\"reason\":");
	buf_json_text(out, span_of(v->reason.text));
	buf_text(out, ",\"next_attempt_at\":");
	buf_json_time(out, v->next_attempt_us);
}

void api_why_get(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct node_view v;
	struct sight s;
	struct buf next = {0}, unblock = {0};
	struct list known = {.out = &r->body, .comma = ""};
	if (!look(ctx, q, &v, &s, r))
		return;
	put_head(&r->body, &v);
	buf_text(&r->body, ",\"known\":[");
	outlook_known(&s.seen, put_fact, &known);
	buf_char(&r->body, ']');
	outlook_next(&s.seen, &next);
	put_sentence(&r->body, "next", true, &next);
	put_sentence(&r->body, "unblock", outlook_unblock(&s.seen, &unblock), &unblock);
	buf_text(&r->body, "}\n");
	buf_done(&next);
	buf_done(&unblock);
	r->status = 200;
}

static const char *word_of(enum outlook_safety s)
{
	switch (s) {
	case OUTLOOK_SAFE:
		return "true";
	case OUTLOOK_UNSAFE:
		return "false";
	case OUTLOOK_UNKNOWN:
		break;
	}
	return "null";
}

void api_why_safe(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct node_view view;
	struct sight s;
	struct reason why;
	struct buf text = {0};
	if (!look(c, q, &view, &s, r))
		return;
	struct outlook_question asked = {
		.since = view.run.polls_begun, .again = http_query(q, "position").at};
	if (!centre_number(q, "since", &asked.since, r) || !centre_number(q, "position", &asked.position, r))
		return;
	s.seen.store_ok = centre_store_works(c, &why);
	struct outlook_verdict v = outlook_safe(&s.seen, &asked, &text);
	bool is_safe = v.safety == OUTLOOK_SAFE;
	put_head(&r->body, &view);
	buf_printf(&r->body, ",\"polls_begun\":%llu,\"safe\":%s,\"pending\":%s,\"position\":",
		(unsigned long long)view.run.polls_begun, word_of(v.safety), v.pending ? "true" : "false");
	centre_put_known(&r->body, is_safe, (int64_t)view.run.proof.seq);
	buf_text(&r->body, ",\"at\":");
	buf_json_time(&r->body, is_safe ? view.run.proof.at_us : -1);
	put_sentence(&r->body, "text", true, &text);
	buf_text(&r->body, "}\n");
	buf_done(&text);
	r->status = 200;
}

void api_why_check(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct node n;
	struct reason why;
	struct span after = http_query(q, "after");
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	if (after.at && !record_id_ok(after)) {
		http_problem(r, "bad_request", "after: not what `next` said");
		return;
	}
	enum err e = store_node(c->store, name, &n, &why);
	if (e == OK)
		e = store_check(c->store, span_of(name), after, &r->body, &why);
	r->status = 200;
	if (e != OK)
		centre_problem(r, e, &why);
}
