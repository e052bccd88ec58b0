#include "tests/sim/writes.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/carrier.h"
#include "tests/sim/oracle.h"
#include "tests/sim/poison.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"

/* The centre's database may rightly refuse a type. */
static bool is_refused(const struct world *w, enum err e, const char *type)
{
	return e == INVALID && w->poison && poison_is(type);
}

/* A broken commit is the only excuse. */
static void judge(struct world *w, struct cause *c, const char *who, bool done, const char *what)
{
	bool broken = commit_fate_met();

	if (!done && !broken)
		world_fail(w, "%s refuses a write: %s", who, what);
	if (done && broken)
		world_fail(w, "%s acknowledges a write whose commit failed", who);
	c->acknowledged = done;
	c->uncertain = broken;
	if (broken)
		trace_line("  its commit was broken");
	oracle_look(w, c);
}

static void refused(struct world *w)
{
	trace_line("  refused");
	oracle_look(w, &(struct cause){.kind = CAUSE_NOTHING});
}

static void post(struct world *w, struct site *s, enum http_method method, const char *target,
	const struct buf *body, struct cause *c)
{
	struct buf answer = {0};
	int status = carrier_call(s, method, span_of(target), buf_span(body), &answer);

	judge(w, c, s->name, status == 200 || status == 201, answer.at == NULL ? "" : answer.at);
	buf_done(&answer);
}

static void add_draft(struct world *w, struct buf *body, unsigned id)
{
	w->writes++;
	buf_printf(body, "{\"id\":\"%c\",\"type\":\"w%u\",\"body\":{\"n\": %u}}\n", 'a' + (int)id, w->writes,
		w->writes);
	trace_line("  w%u at %c", w->writes, 'a' + (int)id);
}

void writes_local_at(struct world *w, struct site *s, unsigned id)
{
	struct cause c = {.kind = CAUSE_LOCAL_WRITE, .sites = 1u << s->place};
	struct buf body = {0};
	char target[32] = "/v1/records";

	trace_line("%s write", s->name);
	if (chance_percent(40)) {
		w->writes++;
		snprintf(target, sizeof target, "/v1/records/%c", 'a' + (int)id);
		buf_printf(&body, "{\"type\":\"w%u\",\"body\":[%u]}", w->writes, w->writes);
		trace_line("  w%u put at %c", w->writes, 'a' + (int)id);
		c.ids = 1u << id;
		post(w, s, HTTP_PUT, target, &body, &c);
		buf_done(&body);
		return;
	}
	do {
		c.ids |= 1u << id;
		add_draft(w, &body, id);
		id = (id + 1) % w->rules.ids;
	} while ((c.ids >> id & 1) == 0 && chance_percent(20));
	post(w, s, HTTP_POST, target, &body, &c);
	buf_done(&body);
}

void writes_local(struct world *w, struct site *s)
{
	writes_local_at(w, s, chance_below(w->rules.ids));
}

void writes_local_same(struct world *w, struct site *s)
{
	struct cause c = {.kind = CAUSE_NOTHING};
	struct buf get = {0}, answer = {0};
	unsigned id = chance_below(w->rules.ids);
	const char *at;
	char target[32];

	snprintf(target, sizeof target, "/v1/records/%c", 'a' + (int)id);
	if (carrier_call(s, HTTP_GET, span_of(target), (struct span){0}, &get) == 200) {
		at = strstr(get.at, "\"body\":");
		if (at == NULL)
			world_fail(w, "%s: a record without a body", s->name);
		buf_printf(&answer, "{\"type\":\"%s\",%.*s}", s->view.rows[id].type,
			(int)strcspn(at, "}]") + 1, at);
		trace_line("%s same  %s %s", s->name, s->view.rows[id].type, answer.at);
		buf_clear(&get);
		if (carrier_call(s, HTTP_PUT, span_of(target), buf_span(&answer), &get) != 200)
			world_fail(w, "%s refuses what it holds already: %s", s->name, get.at);
	}
	oracle_look(w, &c);
	buf_done(&get);
	buf_done(&answer);
}

void writes_local_delete_at(struct world *w, struct site *s, unsigned id)
{
	struct cause c = {.kind = CAUSE_LOCAL_WRITE, .sites = 1u << s->place, .deleted = true};
	struct buf none = {0}, answer = {0};
	char target[32];

	snprintf(target, sizeof target, "/v1/records/%c", 'a' + (int)id);
	if (s->view.rows[id].present) {
		c.ids = s->view.rows[id].deleted ? 0 : 1u << id;
		trace_line("%s delete %c", s->name, 'a' + (int)id);
		post(w, s, HTTP_DELETE, target, &none, &c);
	} else if (carrier_call(s, HTTP_DELETE, span_of(target), buf_span(&none), &answer) != 404) {
		world_fail(w, "%s deletes what was never there", s->name);
	}
	buf_done(&answer);
}

void writes_local_delete(struct world *w, struct site *s)
{
	writes_local_delete_at(w, s, chance_below(w->rules.ids));
}

void writes_centre_at(struct world *w, struct site *s, unsigned id)
{
	struct cause c = {.kind = CAUSE_CENTRE_WRITE, .sites = 1u << s->place};
	char name[2] = {(char)('a' + id), '\0'}, type[16], body[32];
	struct draft d = {.owner = span_of(s->name), .id = span_of(name)};
	struct written done;
	struct reason why;
	enum err e;

	w->writes++;
	snprintf(type, sizeof type, "w%u", w->writes);
	snprintf(body, sizeof body, "{\"n\":%u}", w->writes);
	d.type = span_of(type);
	d.body = span_of(body);
	c.ids = 1u << id;
	trace_line("centre writes %s at %s/%s", type, s->name, name);
	e = store_put(w->store, NULL, &d, 1, NULL, &done, &why);
	if (is_refused(w, e, type)) {
		refused(w);
		return;
	}
	judge(w, &c, "centre", e == OK, why.text);
}

void writes_centre(struct world *w, struct site *s)
{
	writes_centre_at(w, s, chance_below(w->rules.ids));
}

void writes_centre_delete_at(struct world *w, struct site *s, unsigned id)
{
	struct cause c = {.kind = CAUSE_CENTRE_WRITE, .sites = 1u << s->place, .deleted = true};
	const struct row *r = &w->view.nodes[s->place].rows[id];
	char name[2] = {(char)('a' + id), '\0'};
	struct written done;
	struct reason why;
	enum err e;

	if (!r->present)
		return;
	c.ids = r->deleted ? 0 : 1u << id;
	trace_line("centre deletes %s/%s", s->name, name);
	e = store_delete(w->store, NULL, span_of(s->name), span_of(name), NULL, &done, &why);
	if (is_refused(w, e, r->type)) {
		refused(w);
		return;
	}
	judge(w, &c, "centre", e == OK, why.text);
}

void writes_centre_delete(struct world *w, struct site *s)
{
	writes_centre_delete_at(w, s, chance_below(w->rules.ids));
}

void writes_promote(struct world *w)
{
	struct cause c = {.kind = CAUSE_PROMOTION};
	const struct archived *a;
	char owner[RECORD_OWNER_MAX + 1];
	struct written done;
	struct reason why;
	enum err e;

	if (w->view.n_archive == 0)
		return;
	a = &w->view.archive[chance_below((unsigned)w->view.n_archive)];
	c.sites = 1u << a->site;
	c.ids = 1u << a->id;
	c.archived = a->row.version;
	w->tally.promoted++;
	trace_line("centre promotes %s", lineage_name(&w->lineage, a->row.version));
	e = store_conflict_promote(w->store, NULL, (uint64_t)a->number, owner, &done, &why);
	if (is_refused(w, e, a->row.type)) {
		refused(w);
		return;
	}
	judge(w, &c, "centre", e == OK, why.text);
}

/*
 * A decision of an operator about a node, as far as it is one; made anew when the store finds that its
 * content was replaced.
 */
static void decide(struct world *w, struct site *s, const char *what,
	bool (*decision)(const struct node_sync *now, struct sync_change *ret, struct event *ev))
{
	struct cause c = {.kind = CAUSE_OPERATOR, .sites = 1u << s->place};
	struct reason why;
	enum err e = CONFLICT;

	for (int i = 0; i < 2 && e == CONFLICT; i++) {
		struct node n;
		struct sync_change change = {0};
		struct event ev = {0};

		if (store_node(w->store, s->name, &n, &why) != OK)
			world_fail(w, "%s is not in the store: %s", s->name, why.text);
		if (!decision(&n.sync, &change, &ev))
			return;
		e = store_move_node(w->store, s->name, &n.sync, &change, ev.kind == NULL ? NULL : &ev, &why);
	}
	trace_line("%s %s", s->name, what);
	if (e != OK)
		world_fail(w, "%s is not %s: %s", s->name, what, why.text);
	oracle_look(w, &c);
}

void writes_resume(struct world *w, struct site *s)
{
	decide(w, s, "resumed", exchange_decide_resumed);
}

static bool decide_verify(const struct node_sync *now, struct sync_change *ret, struct event *ev)
{
	(void)ev;
	*ret = (struct sync_change){.to = *now};
	ret->to.recount = true;
	return !now->recount;
}

void writes_verify(struct world *w, struct site *s)
{
	decide(w, s, "verified", decide_verify);
}
