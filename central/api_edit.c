#include "central/api_edit.h"

#include <stdio.h>
#include <string.h>

#include "central/api_nodes.h"
#include "central/token.h"
#include "shared/json.h"

/* The store has made the event in the same transaction. */
static void log_change(const char *event, const char *name, const char *url)
{
	log_event(LOG_INFO, event, "node", name, url ? "url" : NULL, url, NULL);
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

static void add(struct centre *c, const char *name, const char *url, const char *title, struct http_reply *r)
{
	struct reason why;
	char token[96] = "";
	enum err e = store_node_add(c->store, name, url, title ? title : "", &why);
	tell_scheduler(c, name, e);
	r->written = e == OK;
	if (e == OK) {
		log_change("node.added", name, url);
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
	const char *name, *url, *title;
	struct json_doc *d = centre_read_body(q, r);
	if (!d)
		return;
	if (centre_read_text(d, "name", RECORD_OWNER_MAX, &name, r) &&
		centre_read_text(d, "url", sizeof((struct node *)0)->url - 1, &url, r) &&
		centre_read_text(d, "title", sizeof((struct node *)0)->title - 1, &title, r)) {
		if (!name || !url)
			http_problem(r, "bad_request", "wanted: {\"name\", \"url\", \"title\"?}");
		else if (!record_owner_ok(span_of(name)))
			http_problem(r, "bad_request",
				"name: a-z 0-9 . _ -, starting with a letter or digit, %d at most",
				RECORD_OWNER_MAX);
		else if (url_ok(c, url, r))
			add(c, name, url, title, r);
	}
	json_doc_free(d);
}

static void tell_change(struct centre *c, const char *name, const char *url, const char *title)
{
	if (url)
		centre_tell(c->store, "node.changed", name, "its URL is now %s", url);
	if (title && title[0])
		centre_tell(c->store, "node.changed", name, "its title is now %s", title);
	else if (title)
		centre_tell(c->store, "node.changed", name, "it has no title any more");
}

void api_edit_change(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	const char *url, *title;
	struct reason why;
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	struct json_doc *d = centre_read_body(q, r);
	if (!d)
		return;
	if (centre_read_text(d, "url", sizeof((struct node *)0)->url - 1, &url, r) &&
		centre_read_text(d, "title", sizeof((struct node *)0)->title - 1, &title, r) &&
		(!url || url_ok(c, url, r))) {
		enum err e = store_node_edit(c->store, name, url, title, &why);
		if (url)
			tell_scheduler(c, name, e);
		else if (e == OK || e == UNCERTAIN)
			scheduler_renamed(c->scheduler, name);
		r->written = e == OK;
		if (e == OK) {
			tell_change(c, name, url, title);
			api_nodes_answer(c, name, 200, "", r);
		} else {
			centre_problem(r, e, &why);
		}
	}
	json_doc_free(d);
}

void api_edit_remove(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	char name[RECORD_OWNER_MAX + 1];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	enum err e = store_node_remove(c->store, name, &why);
	tell_scheduler(c, name, e);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	log_change("node.removed", name, NULL);
	buf_printf(&r->body, "{\"name\":\"%s\",\"removed\":true}\n", name);
	r->status = 200;
}

/* --- verbs --- */

/* A decision made on the node's present sync; made anew when that moved meanwhile. */
typedef bool decide_fn(const struct node_sync *s, struct sync_change *ret, struct event *ev);

static enum err move(struct centre *c, const char *name, decide_fn *decide, struct reason *why)
{
	enum err e = CONFLICT;
	for (int i = 0; i < 20 && e == CONFLICT; i++) {
		struct node n;
		struct sync_change change = {0};
		struct event ev = {0};
		e = store_node(c->store, name, &n, why);
		if (e != OK || !decide(&n.sync, &change, &ev))
			return e;
		ev.node = name;
		e = store_move_node(c->store, name, &n.sync, &change, ev.kind ? &ev : NULL, why);
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

static enum err pause_node(struct centre *c, const char *name, bool paused, struct reason *why)
{
	enum err e = store_node_pause(c->store, name, paused, why);
	if (e == OK)
		log_change(paused ? "node.paused" : "node.resumed", name, NULL);
	return e;
}

static enum err resume_node(struct centre *c, const char *name, struct reason *why)
{
	struct node n;
	enum err e = store_node(c->store, name, &n, why);
	if (e == OK && n.sync.halt != HALT_NONE)
		e = move(c, name, exchange_decide_resumed, why);
	if (e == OK && (n.paused || n.sync.halt == HALT_NONE))
		e = pause_node(c, name, false, why);
	return e;
}

/* What is kept in the store.  GONE: no such node, or no such verb. */
static enum err change_node(struct centre *c, const char *name, struct span verb, struct reason *why)
{
	struct node n;
	enum err e = store_node(c->store, name, &n, why);
	if (e != OK)
		return e;
	if (span_is(verb, "pause"))
		return pause_node(c, name, true, why);
	if (span_is(verb, "resume"))
		return resume_node(c, name, why);
	if (span_is(verb, "verify"))
		return move(c, name, decide_recount, why);
	return fail(GONE, why, "a node can be told pull, push, verify, pause, resume or rotate");
}

void api_edit_do(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct span verb = http_param(q, "verb");
	struct reason why;
	char name[RECORD_OWNER_MAX + 1];
	/* Asking changes nothing that is kept: it works while the store is away. */
	bool asks = span_is(verb, "pull") || span_is(verb, "push");
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	store_hurry(c->store);
	enum err e = asks ? OK : change_node(c, name, verb, &why);
	if (!asks)
		tell_scheduler(c, name, e);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	r->written = !asks;
	if (!span_is(verb, "pause"))
		scheduler_ask(c->scheduler, name);
	api_nodes_answer(c, name, 202, "", r);
}

void api_edit_token(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	char name[RECORD_OWNER_MAX + 1], token[96];
	if (!centre_node_name(http_param(q, "name"), name, r))
		return;
	enum err e = token_member(c, name, token, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	buf_printf(&r->body, "{\"name\":\"%s\"%s}\n", name, token[0] ? token : ",\"token\":null");
	r->status = 200;
}

void api_edit_rotate(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
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
		e = store_node_rotate(c->store, name, &rotation, &why);
	tell_scheduler(c, name, e);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	r->written = true;
	centre_tell(c->store, "node.rotated", name, "an operator made it another token");
	api_edit_token(ctx, q, r);
}
