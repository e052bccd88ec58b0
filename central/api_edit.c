#include "central/api_edit.h"

#include <stdio.h>
#include <string.h>

#include "central/api_nodes.h"
#include "central/token.h"
#include "shared/json.h"

/* The store has made the event in the same transaction. */
static void log_change(const char *event, const struct author *by, const char *name, const char *url)
{
	log_event(LOG_INFO, event, "who", by->who, "node", name, url ? "url" : NULL, url, NULL);
}

/* Also when nobody knows whether the store did it: a node that was added after all would never be asked. */
static void tell_scheduler(struct centre *c, const char *name, enum err e)
{
	if (e == OK || e == UNCERTAIN)
		scheduler_changed(c->scheduler, name);
}

/* ,"token":"…" of the node as it is now; "" without a secret. */
static enum err token_member(struct centre *c, const char *name, char ret[96], struct reason *why)
{
	struct node n;
	char token[65];
	ret[0] = 0;
	enum err e = store_node(c->store, name, &n, why);
	if (e != OK)
		return e;
	token_of_node(c->secret, &n, token);
	if (token[0])
		snprintf(ret, 96, ",\"token\":\"%s\"", token);
	return OK;
}

static bool url_ok(struct centre *c, const char *url, struct http_reply *r)
{
	struct reason why;
	enum err e = node_url_check(c->allowed, url, &why);
	if (e != OK)
		http_problem(r, "bad_request", "url: %s", why.text);
	return e == OK;
}

static void add(struct centre *c, const struct author *by, const char *name, const char *url,
	const char *title, struct http_reply *r)
{
	struct reason why;
	char token[96] = "";
	enum err e = store_node_add(c->store, by, name, url, title ? title : "", &why);
	tell_scheduler(c, name, e);
	r->written = e == OK;
	if (e == OK) {
		log_change("node.added", by, name, url);
		e = token_member(c, name, token, &why);
	}
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	snprintf(r->location, sizeof r->location, "/v1/nodes/%s", name);
	api_nodes_answer(c, name, 201, token, r);
}

void api_edit_add(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	const char *name, *url, *title;
	struct json_doc *d = centre_read_body(q, r);
	if (!d)
		return;
	if (centre_read_text(d, "name", RECORD_OWNER_MAX, &name, r) &&
		centre_read_text(d, "url", sizeof((struct node_row *)0)->url - 1, &url, r) &&
		centre_read_text(d, "title", sizeof((struct node_row *)0)->title - 1, &title, r)) {
		if (!name || !url)
			http_problem(r, "bad_request", "wanted: {\"name\", \"url\", \"title\"?}");
		else if (!record_owner_ok(span_of(name)))
			http_problem(r, "bad_request",
				"name: a-z 0-9 . _ -, starting with a letter or digit, %d at most",
				RECORD_OWNER_MAX);
		else if (url_ok(c, url, r))
			add(c, &by, name, url, title, r);
	}
	json_doc_free(d);
}

static void change(struct centre *c, const struct author *by, const char *name, const char *url,
	const char *title, struct http_reply *r)
{
	struct reason why, told;
	enum err e = store_node_edit(c->store, by, name, url, title, &told, &why);
	if (url)
		tell_scheduler(c, name, e);
	else if (e == OK || e == UNCERTAIN)
		scheduler_renamed(c->scheduler, name);
	r->written = e == OK;
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	if (told.text[0])
		centre_log("node.changed", by, name, told.text);
	api_nodes_answer(c, name, 200, "", r);
}

void api_edit_change(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	const char *url, *title;
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	struct json_doc *d = centre_read_body(q, r);
	if (!d)
		return;
	if (centre_read_text(d, "url", sizeof((struct node_row *)0)->url - 1, &url, r) &&
		centre_read_text(d, "title", sizeof((struct node_row *)0)->title - 1, &title, r) &&
		(!url || url_ok(c, url, r)))
		change(c, &by, name, url, title, r);
	json_doc_free(d);
}

void api_edit_remove(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct reason why;
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	enum err e = store_node_remove(c->store, &by, name, &why);
	tell_scheduler(c, name, e);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	log_change("node.removed", &by, name, NULL);
	buf_printf(&r->body, "{\"name\":\"%s\",\"removed\":true}\n", name);
	r->status = 200;
}

/* --- verbs --- */

/* What somebody wants of a node, and the event that tells of it. */
struct wish {
	struct centre *c;
	const char *name, *verb;
	struct event ev;
	bool told; /* it is in the store */
};

/* A decision made on the node's present sync; made anew when that moved meanwhile.  It may have an event of its own. */
typedef bool decide_fn(const struct node_sync *s, struct sync_change *ret, struct event *ev);

static enum err move(struct wish *w, decide_fn *decide, struct reason *why)
{
	enum err e = CONFLICT;
	for (int i = 0; i < 20 && e == CONFLICT; i++) {
		struct node n;
		struct sync_change change = {0};
		struct event ev = {0};
		e = store_node(w->c->store, w->name, &n, why);
		if (e != OK || !decide(&n.sync, &change, &ev))
			return e;
		if (ev.kind) {
			w->ev.level = ev.level;
			w->ev.kind = ev.kind;
			w->ev.text = ev.text;
		}
		e = store_move_node(w->c->store, w->name, &n.sync, &change, &w->ev, why);
		w->told = e == OK;
	}
	return e == CONFLICT ? fail(RETRY, why, "the node moves too fast; try again") : e;
}

static bool decide_recount(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	(void)ev;
	if (s->recount)
		return false;
	ret->to = *s;
	ret->to.recount = true;
	return true;
}

static enum err pause_node(struct wish *w, bool paused, struct reason *why)
{
	enum err e = store_node_pause(w->c->store, w->ev.by, w->name, paused, why);
	if (e == OK)
		log_change(paused ? "node.paused" : "node.resumed", w->ev.by, w->name, NULL);
	return e;
}

/* What stopped both directions is accepted. */
static enum err accept_node(struct wish *w, const struct node *n, struct reason *why)
{
	struct audit change = {0};
	audit_text(&change.before, "halted",
		span_of(n->sync.halt == HALT_DIVERGED ? "diverged" : "identity_conflict"));
	audit_end(&change.before);
	w->ev.audit = &change;
	enum err e = move(w, exchange_decide_resumed, why);
	if (w->told)
		centre_log(w->ev.kind, w->ev.by, w->name, w->ev.text.text);
	w->ev.audit = NULL;
	audit_done(&change);
	return e;
}

static enum err resume_node(struct wish *w, const struct node *n, struct reason *why)
{
	enum err e = OK;
	if (n->sync.halt != HALT_NONE)
		e = accept_node(w, n, why);
	if (e == OK && (n->paused || n->sync.halt == HALT_NONE))
		e = pause_node(w, false, why);
	return e;
}

/* What is kept in the store.  GONE: no such node, or no such verb. */
static enum err change_node(struct wish *w, struct reason *why)
{
	struct node n;
	enum err e = store_node(w->c->store, w->name, &n, why);
	if (e != OK)
		return e;
	if (strcmp(w->verb, "pause") == 0)
		return pause_node(w, true, why);
	if (strcmp(w->verb, "resume") == 0)
		return resume_node(w, &n, why);
	if (strcmp(w->verb, "verify") == 0)
		return move(w, decide_recount, why);
	return fail(GONE, why, "a node can be told pull, push, verify, pause, resume or rotate");
}

/* That it was asked for, whether or not that changed anything. */
static void say_asked(struct wish *w, struct audit *wanted)
{
	audit_text(&wanted->after, "ask", span_of(w->verb));
	audit_end(&wanted->after);
	w->ev.level = LOG_INFO;
	w->ev.kind = "node.asked";
	w->ev.audit = wanted;
	(void)fail(OK, &w->ev.text, "an operator asked for it now: %s", w->verb);
}

static void tell_asked(struct wish *w)
{
	struct reason text = w->ev.text;
	if (w->told)
		centre_log(w->ev.kind, w->ev.by, w->name, text.text);
	else
		centre_tell_asked(w->c, &w->ev, "%s", text.text);
}

static void carry_out(struct wish *w, bool asks, struct http_reply *r)
{
	struct reason why;
	/* Asking changes nothing that is kept: it works while the store is away. */
	bool keeps = strcmp(w->verb, "pull") != 0 && strcmp(w->verb, "push") != 0;
	store_hurry(w->c->store);
	enum err e = keeps ? change_node(w, &why) : OK;
	if (keeps)
		tell_scheduler(w->c, w->name, e);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	r->written = keeps;
	if (strcmp(w->verb, "pause") != 0)
		scheduler_ask(w->c->scheduler, w->name);
	api_nodes_answer(w->c, w->name, 202, "", r);
	if (asks && r->status == 202)
		tell_asked(w);
}

void api_edit_do(void *ctx, struct http_request *q, struct http_reply *r)
{
	const struct author by = centre_author(q);
	struct span verb = http_param(q, "verb");
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	struct wish w = {.c = ctx,
		.name = name,
		.verb = arena_copy(&q->arena, verb.at, verb.len),
		.ev = {.node = name, .by = &by}};
	struct audit wanted = {0};
	bool asks = span_is(verb, "pull") || span_is(verb, "push") || span_is(verb, "verify");
	if (asks)
		say_asked(&w, &wanted);
	carry_out(&w, asks, r);
	audit_done(&wanted);
}

/* False: the reply says why. */
static bool answer_token(struct centre *c, const char *name, char ret[96], struct http_reply *r)
{
	struct reason why;
	enum err e = token_member(c, name, ret, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return false;
	}
	buf_printf(&r->body, "{\"name\":\"%s\"%s}\n", name, ret[0] ? ret : ",\"token\":null");
	r->status = 200;
	return true;
}

/* Whoever has it can be the centre to that node: so that it was shown is of the audit, though nothing changed. */
void api_edit_token(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	char name[RECORD_OWNER_MAX + 1], token[96];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	struct event ev = {.level = LOG_INFO, .kind = "node.token_shown", .node = name, .by = &by};
	if (answer_token(c, name, token, r) && token[0])
		centre_tell_asked(c, &ev, "its token was shown to an administrator");
}

void api_edit_rotate(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const struct author by = centre_author(q);
	struct reason why;
	uint64_t rotation;
	char name[RECORD_OWNER_MAX + 1], token[96];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	enum err e = token_member(c, name, token, &why);
	if (e == OK && !token[0]) {
		(void)fail(CONFLICT, &why, "the centre has no secret, so nodes have no tokens");
		centre_problem(r, CONFLICT, &why);
		return;
	}
	if (e == OK)
		e = store_node_rotate(c->store, &by, name, &rotation, &why);
	tell_scheduler(c, name, e);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	r->written = true;
	centre_log("node.rotated", &by, name, "an operator made it another token");
	(void)answer_token(c, name, token, r);
}
