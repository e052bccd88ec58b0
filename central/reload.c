#include "central/reload.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/roster.h"
#include "shared/arena.h"
#include "shared/log.h"
#include "shared/secrets.h"
#include "shared/utf8.h"

struct generation *generation_new(struct generation *before)
{
	struct generation *g = calloc(1, sizeof *g);
	if (!g)
		err_out_of_memory();
	g->before = before;
	return g;
}

static void free_one(struct generation *g)
{
	option_secret_done(&g->secret);
	tls_release(g->tls);
	tls_release(g->tls_nodes);
	free(g);
}

void generation_free(struct generation *g)
{
	for (struct generation *before; g; g = before) {
		before = g->before;
		free_one(g);
	}
}

enum err generation_read_files(struct generation *g, struct reason *why)
{
	const struct settings *s = &g->settings;
	enum err e = s->secret_file ? option_read_secrets(s->secret_file, &g->secret, why) : OK;
	if (e == OK && s->tls.certificate)
		e = tls_read(&g->tls, &s->tls, why);
	if (e == OK)
		e = tls_read(&g->tls_nodes, &s->tls_nodes, why);
	return e;
}

const char *generation_secret(const struct generation *g)
{
	return g->secret.at ? g->secret.at : "";
}

/* --- nodes --- */

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void leave_alone(void *text)
{
	(void)text;
}

/* Whoever writes the command line, the environment or the file. */
static const struct author by_settings = {.who = AUTHOR_SETTINGS};

/* Those of --node that are not in `before`, with their names apart. */
struct listed {
	struct node_wanted *at;
	enum roster_step *steps;
	size_t n;
	struct arena arena;
};

static enum err read_listed(
	struct listed *l, const struct settings *set, const struct option_list *before, struct reason *why)
{
	struct reason cause;
	const char *url;
	void *known = NULL;
	enum err e = OK;
	for (size_t i = 0; before && i < before->n; i++)
		if (!tsearch(before->at[i], &known, by_text))
			err_out_of_memory();
	l->at = arena_alloc(&l->arena, (set->nodes.n + 1) * sizeof *l->at);
	l->steps = arena_alloc(&l->arena, (set->nodes.n + 1) * sizeof *l->steps);
	for (size_t i = 0; e == OK && i < set->nodes.n; i++) {
		const char *pair = set->nodes.at[i];
		if (tfind(pair, &known, by_text))
			continue;
		char *name = arena_alloc(&l->arena, RECORD_OWNER_MAX + 1);
		settings_node(pair, name, &url);
		e = node_url_check(&set->allowed, url, &cause);
		if (e != OK) /* checked before, but for where the centre listens */
			(void)fail(e, why, "--node %.80s: %s", pair, cause.text);
		l->at[l->n++] = (struct node_wanted){.name = name, .url = url};
	}
	tdestroy(known, leave_alone);
	return e;
}

static enum err plan_listed(struct listed *l, struct store *st, struct reason *why)
{
	struct nodes now = {0};
	enum err e = store_nodes(st, &now, why);
	if (e == OK)
		e = roster_plan(&now, l->at, l->n, l->steps, why);
	nodes_done(&now);
	return e;
}

/* One that the store has known before. */
static enum err set_node(struct centre *c, const struct node_wanted *w, bool is_there, struct reason *why)
{
	struct reason told;
	enum err e = is_there ? store_node_edit(c->store, &by_settings, w->name, w->url, NULL, &told, why)
			      : store_node_add(c->store, &by_settings, w->name, w->url, "", why);
	if (e == OK && is_there)
		centre_log("node.changed", &by_settings, w->name, told.text);
	return e;
}

static enum err add_unknown(struct centre *c, const struct listed *l, struct reason *why)
{
	struct node_wanted *adds = malloc((l->n + 1) * sizeof *adds);
	size_t n = 0;
	if (!adds)
		err_out_of_memory();
	for (size_t i = 0; i < l->n; i++)
		if (l->steps[i] == ROSTER_ADD)
			adds[n++] = l->at[i];
	enum err e = n > 0 ? store_nodes_add(c->store, &by_settings, adds, n, why) : OK;
	for (size_t i = 0; e == OK && i < n; i++) {
		if (!adds[i].added) /* it was removed */
			e = set_node(c, &adds[i], false, why);
		if (e == OK)
			log_event(LOG_INFO, "node.added", "who", AUTHOR_SETTINGS, "node", adds[i].name, "url",
				adds[i].url, NULL);
	}
	free(adds);
	return e;
}

/* First what gives up its URL, perhaps to one that is new. */
static enum err set_listed(struct centre *c, const struct listed *l, struct reason *why)
{
	enum err e = OK;
	for (size_t i = 0; e == OK && i < l->n; i++)
		if (l->steps[i] == ROSTER_MOVE)
			e = set_node(c, &l->at[i], true, why);
	return e == OK ? add_unknown(c, l, why) : e;
}

static void tell_scheduler(struct scheduler *s, const struct listed *l)
{
	const char **names = malloc((l->n + 1) * sizeof *names);
	size_t n = 0;
	if (!names)
		err_out_of_memory();
	for (size_t i = 0; i < l->n; i++)
		if (l->steps[i] != ROSTER_STAYS)
			names[n++] = l->at[i].name;
	scheduler_changed_all(s, names, n);
	free(names);
}

enum err reload_nodes(
	struct centre *c, const struct settings *set, const struct option_list *before, struct reason *why)
{
	struct listed l = {0};
	enum err e = read_listed(&l, set, before, why);
	if (e == OK && l.n > 0)
		e = plan_listed(&l, c->store, why);
	if (e == OK && l.n > 0) {
		e = set_listed(c, &l, why);
		if (c->scheduler) /* also when nobody knows whether the store did it */
			tell_scheduler(c->scheduler, &l);
	}
	arena_done(&l.arena);
	return e;
}

/* --- what is taken --- */

static bool same_networks(const struct networks *a, const struct networks *b)
{
	return a->n == b->n && a->plain_http == b->plain_http &&
	       memcmp(a->at, b->at, a->n * sizeof *a->at) == 0;
}

static void use_secret(struct reload *r, const struct generation *g)
{
	const char *secret = generation_secret(g);
	r->centre->secret = secret;
	access_use_secret(r->centre->access, secret);
	scheduler_set_secret(r->centre->scheduler, secret);
}

/* Each part is told only what is another: it may begin something by it. */
static void take(struct reload *r, struct generation *g)
{
	const struct settings *s = &g->settings, *before = &r->now->settings;
	struct centre *c = r->centre;
	daemon_retune(&s->daemon, &before->daemon);
	store_retune(c->store, s->policy, (uint64_t)s->keep_events, (uint64_t)s->keep_audit);
	if (s->poll_interval_ms != before->poll_interval_ms) {
		c->interval_ms = s->poll_interval_ms;
		scheduler_set_interval(c->scheduler, s->poll_interval_ms);
	}
	scheduler_set_compress(c->scheduler, s->compress);
	c->allowed = &s->allowed;
	if (!same_networks(&s->allowed, &before->allowed))
		scheduler_set_networks(c->scheduler, &s->allowed);
	if (!tls_same(g->tls, r->now->tls))
		server_set_tls(r->server, g->tls);
	c->certificate_ends_us = tls_ends_us(g->tls);
	c->client_certificate_ends_us = tls_ends_us(g->tls_nodes);
	if (!tls_same(g->tls_nodes, r->now->tls_nodes))
		scheduler_set_tls(c->scheduler, g->tls_nodes);
	if (strcmp(generation_secret(g), generation_secret(r->now)) != 0)
		use_secret(r, g);
	r->now = g;
	settings_adopt();
}

/* NULL: the same. */
static const char *say_secrets(const char *now, const char *before)
{
	if (strcmp(now, before) == 0)
		return NULL;
	if (!span_equal(secrets_at(now, 0), secrets_at(before, 0)))
		return "another secret: every node needs its new token";
	return secrets_at(now, 1).len > 0 ? "the same secret; another one beside it is taken as well"
					  : "the same secret; the one before it is not taken any more";
}

/* A file that lost a line must not open the centre to everybody on the machine. */
static enum err check_secret_stays(
	const struct generation *g, const struct generation *before, struct reason *why)
{
	if (!generation_secret(before)[0] || generation_secret(g)[0])
		return OK;
	return fail(INVALID, why,
		"secret-file: without it whoever reaches the centre may do everything; only a restart takes "
		"it "
		"away");
}

static void tell(
	const struct option_changes *changes, const struct generation *g, const struct generation *before)
{
	struct reloaded r = {0};
	const char *secrets = say_secrets(generation_secret(g), generation_secret(before));
	option_changes_tell(changes, &r);
	if (!tls_same(g->tls, before->tls))
		tls_tell(g->tls, &r);
	if (!tls_same(g->tls_nodes, before->tls_nodes))
		option_content_tell("tls-ca", "another certificate or authority towards nodes", &r);
	if (secrets)
		option_content_tell("secret-file", secrets, &r);
	reloaded_tell(&r);
}

#define SHOWN_BYTES 1000 /* of one option: there may be a thousand nodes */

static void put_shown(struct buf *end, const char *option, const struct buf *shown)
{
	char text[SHOWN_BYTES + 1];
	snprintf(text, sizeof text, "%s", shown->at ? shown->at : "");
	utf8_mask(text);
	audit_text(end, option, span_of(text));
}

/* A file of the same name that holds another thing: only that it does. */
static void audit_content(
	struct audit *a, struct buf *names, const char *what, const char *option, const char *now)
{
	audit_text(&a->before, what, span_of("one"));
	audit_text(&a->after, what, span_of(now));
	buf_printf(names, "%s%s", names->len ? ", " : "", option);
}

/* What was taken is of the audit, like what is changed over HTTP. */
static void audit_changes(struct store *st, const struct option_changes *changes, const struct generation *g,
	const struct generation *before)
{
	const char *secrets = say_secrets(generation_secret(g), generation_secret(before));
	struct audit change = {0};
	struct event ev = {.level = LOG_INFO, .kind = "reloaded", .by = &by_settings, .audit = &change};
	struct buf names = {0};
	struct reason why;
	for (size_t i = 0; i < changes->n; i++) {
		const struct option_change *x = &changes->at[i];
		if (x->needs_restart)
			continue;
		put_shown(&change.before, x->option->name, &x->before);
		put_shown(&change.after, x->option->name, &x->after);
		buf_printf(&names, "%s%s", names.len ? ", " : "", x->option->name);
	}
	if (secrets)
		audit_content(&change, &names, "secret", "secret-file", secrets);
	if (!tls_same(g->tls, before->tls))
		audit_content(&change, &names, "certificate", "tls-certificate", "another");
	if (!tls_same(g->tls_nodes, before->tls_nodes))
		audit_content(&change, &names, "authority", "tls-ca",
			"another certificate or authority towards nodes");
	if (names.len > 0) {
		audit_end(&change.before);
		audit_end(&change.after);
		(void)fail(OK, &ev.text, "settings were read again: %s", names.at);
		enum err e = store_events_add(st, &ev, 1, &why);
		if (e != OK)
			log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why.text, NULL);
	}
	buf_done(&names);
	audit_done(&change);
}

void reload_settings(struct reload *r)
{
	struct generation *g = generation_new(r->now), *before = r->now;
	struct option_changes changes = {0};
	struct reason why;
	enum err e = settings_reread(&g->settings, r->argc, r->argv, &changes, &why);
	if (e == OK)
		e = generation_read_files(g, &why);
	if (e == OK)
		e = check_secret_stays(g, before, &why);
	g->settings.allowed.self = before->settings.allowed.self; /* where it listens needs a restart */
	if (e == OK)
		e = tls_switch_check(before->tls, g->tls, &why);
	if (e == OK)
		e = reload_nodes(r->centre, &g->settings, &r->now->settings.nodes, &why);
	if (e == OK) {
		take(r, g);
		tell(&changes, g, before);
		audit_changes(r->centre->store, &changes, g, before);
	} else {
		reload_failed_tell(&why);
		free_one(g);
	}
	option_changes_done(&changes);
}
