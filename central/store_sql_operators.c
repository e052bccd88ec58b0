/* What operators decide of nodes: each change with its event, in one transaction. */
#include "central/store_sql_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central/postgres_binary.h"
#include "gen/sql_postgres.h"
#include "shared/clock.h"

/* The part of a row that operators decide. */
static void save_settings(struct db *db, const struct node_row *n)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NODE_SETTINGS);

	stmt_text(q, 1, span_of(n->title));
	if (n->url[0])
		stmt_text(q, 2, span_of(n->url));
	else
		stmt_null(q, 2);
	stmt_i64(q, 3, n->node.paused);
	stmt_u64(q, 4, n->node.rotation);
	stmt_i64(q, 5, n->node.added_at_us);
	stmt_text(q, 6, span_of(n->node.name));
	stmt_run(q);
}

static void insert_node(struct db *db, const struct node_row *n)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NODE_ADD);

	stmt_text(q, 1, span_of(n->node.name));
	stmt_text(q, 2, span_of(n->title));
	stmt_text(q, 3, span_of(n->url));
	stmt_i64(q, 4, n->node.paused);
	stmt_u64(q, 5, n->node.rotation);
	stmt_i64(q, 6, n->node.added_at_us);
	stmt_run(q);
}

static enum err check_url_free(struct db *db, const char *url, const char *name, struct reason *why)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NODE_OF_URL);
	enum err e = OK;

	stmt_text(q, 1, span_of(url));
	if (stmt_step(q) && !span_is(stmt_col_text(q, 0), name)) {
		struct span other = stmt_col_text(q, 0);

		e = fail(CONFLICT, why, "%s is the URL of node %.*s", url, (int)other.len, other.at);
	}
	stmt_done(q);
	return e;
}

static enum err check_room(struct db *db, struct reason *why)
{
	struct stmt q = stmt_begin(db, SQL_CENTRAL_NODES_COUNT);
	enum err e = OK;

	if (stmt_step(q) && stmt_col_i64(q, 0) >= STORE_NODES_MAX)
		e = fail(CONFLICT, why, "there are %d nodes, and a centre takes no more: remove one first",
			STORE_NODES_MAX);
	stmt_done(q);
	return e;
}

static enum err set_texts(struct node_row *n, const char *url, const char *title, struct reason *why)
{
	if ((url && (!*url || strlen(url) >= sizeof(n->url))) || (title && strlen(title) >= sizeof(n->title)))
		return fail(INVALID, why, "the URL or the title of node %s is too long", n->node.name);
	if (url)
		memcpy(n->url, url, strlen(url) + 1);
	n->node.there = n->url[0];
	if (title)
		memcpy(n->title, title, strlen(title) + 1);
	return OK;
}

static void tell_node(struct store *st, struct db *db, const struct author *by, const char *kind,
	const char *name, const struct audit *change, const char *text)
{
	struct event ev = {.level = LOG_INFO, .kind = kind, .node = name, .by = by, .audit = change};

	(void)fail(OK, &ev.text, "%s", text);
	store_tell(st, db, &ev);
}

/* What happened, by whom and to which node; as it was and is (NULL: it is not there). */
static void tell_node_change(struct store *st, struct db *db, const struct event *what,
	const struct node_row *before, const struct node_row *after, const char *text)
{
	struct audit change = {0};

	(void)audit_node(&change, before, after);
	tell_node(st, db, what->by, what->kind, what->node, &change, text);
	audit_done(&change);
}

static enum err add_node(struct store *st, struct db *db, const struct author *by, struct node_row *n,
	const char *url, const char *title, struct reason *why)
{
	struct node_row before;
	bool known;
	enum err e;

	store_lock_owner(st, db, span_of(n->node.name));
	known = store_load_row(st, db, span_of(n->node.name), &before);
	if (known && before.node.there)
		return fail(CONFLICT, why, "node %s exists", n->node.name);
	if (known) {
		*n = before;
		n->node.paused = false;
	}
	n->node.added_at_us = clock_wall_us();
	e = check_url_free(db, url, n->node.name, why);
	if (e == OK)
		e = check_room(db, why);
	if (e == OK)
		e = set_texts(n, url, title, why);
	if (e != OK)
		return e;
	if (known)
		save_settings(db, n);
	else
		insert_node(db, n);
	tell_node_change(st, db, &(struct event){.kind = "node.added", .node = n->node.name, .by = by}, NULL,
		n, known ? "the node was added again and continues where it was" : "the node was added");
	return OK;
}

enum err store_node_add(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *why)
{
	struct node_row n = {.node.paused = false};
	struct db *db;

	if (!record_owner_ok(span_of(name)))
		return fail(INVALID, why, "%s is not a node's name", name);
	memcpy(n.node.name, name, strlen(name));
	db = store_write_begin(st);
	return store_write_end(st, db, add_node(st, db, by, &n, url, title, why), why);
}

/* --- many at once --- */

static void insert_nodes(struct db *db, const struct node_row *ns, size_t n, int64_t now_us)
{
	struct buf names = {0}, urls = {0};
	struct stmt q = stmt_begin(db, SQL_POSTGRES_MANY_NODES_ADD);

	binary_array(&names, BINARY_TEXT, n);
	binary_array(&urls, BINARY_TEXT, n);
	for (size_t i = 0; i < n; i++) {
		binary_put_bytes(&names, span_of(ns[i].node.name));
		binary_put_bytes(&urls, span_of(ns[i].url));
	}
	stmt_i64(q, 1, now_us);
	stmt_bytes(q, 2, &names);
	stmt_bytes(q, 3, &urls);
	stmt_run(q);
	if (stmt_changes(q) != (int64_t)n)
		db_fail(db, CONFLICT, "somebody else added a node at the same time: try again");
	buf_done(&names);
	buf_done(&urls);
}

static void tell_added(
	struct store *st, struct db *db, const struct author *by, const struct node_row *ns, size_t n)
{
	struct arena a = {0};
	struct event *evs = arena_alloc(&a, (n + 1) * sizeof(*evs));
	struct audit *changes = arena_alloc(&a, (n + 1) * sizeof(*changes));

	for (size_t i = 0; i < n; i++) {
		(void)audit_node(&changes[i], NULL, &ns[i]);
		evs[i] = (struct event){.level = LOG_INFO,
			.kind = "node.added",
			.node = ns[i].node.name,
			.text = {"the node was added"},
			.by = by,
			.audit = &changes[i]};
	}
	store_tell_all(st, db, evs, n);
	for (size_t i = 0; i < n; i++)
		audit_done(&changes[i]);
	arena_done(&a);
}

/* Those of which the store knows nothing are the first *ret of `ns`. */
static enum err take_unknown(struct store *st, struct db *db, struct node_wanted *nodes, size_t n,
	struct node_row *ns, size_t *ret, struct reason *why)
{
	struct arena a = {0};
	const char **names = arena_alloc(&a, (n + 1) * sizeof(*names));
	struct node *known = arena_alloc(&a, (n + 1) * sizeof(*known));
	int64_t now_us = clock_wall_us();
	enum err e = OK;

	for (size_t i = 0; i < n; i++)
		names[i] = nodes[i].name;
	store_load_nodes(st, db, names, n, known, NULL);
	*ret = 0;
	for (size_t i = 0; e == OK && i < n; i++) {
		struct node_row *to = &ns[*ret];

		nodes[i].added = !known[i].name[0];
		if (!nodes[i].added)
			continue;
		*to = (struct node_row){.node.added_at_us = now_us};
		(void)snprintf(to->node.name, sizeof(to->node.name), "%s", nodes[i].name);
		e = set_texts(to, nodes[i].url, NULL, why);
		store_touch_owner(st, span_of(to->node.name));
		++*ret;
	}
	arena_done(&a);
	return e;
}

enum err store_nodes_add(
	struct store *st, const struct author *by, struct node_wanted *nodes, size_t n, struct reason *why)
{
	struct node_row *ns = calloc(n + 1, sizeof(*ns));
	struct db *db;
	size_t unknown;
	enum err e;

	if (!ns)
		err_out_of_memory();
	db = store_write_begin(st);
	e = take_unknown(st, db, nodes, n, ns, &unknown, why);
	if (e == OK && unknown > 0) {
		if (st->postgres)
			insert_nodes(db, ns, unknown, ns[0].node.added_at_us);
		for (size_t i = 0; !st->postgres && i < unknown; i++)
			insert_node(db, &ns[i]);
		tell_added(st, db, by, ns, unknown);
	}
	e = store_write_end(st, db, e, why);
	free(ns);
	return e;
}

/* Loads a node that is there, else fails. */
static enum err get_node(
	struct store *st, struct db *db, const char *name, struct node_row *n, struct reason *why)
{
	store_lock_owner(st, db, span_of(name));
	if (!store_load_row(st, db, span_of(name), n) || !n->node.there)
		return fail(GONE, why, "no node %s", name);
	return OK;
}

/* A URL, too, may be longer than a reason: both whole are in what the event says of before and after. */
static void say_edit(const struct node_row *before, const struct node_row *now, struct reason *ret)
{
	bool url = strcmp(before->url, now->url) != 0, title = strcmp(before->title, now->title) != 0;
	struct buf text = {0};

	if (url)
		buf_printf(&text, "its URL is now %s", now->url);
	if (title)
		buf_printf(&text, "%s%s%s", url ? ", " : "",
			now->title[0] ? "its title is now " : "it has no title any more", now->title);
	(void)fail(OK, ret, "%s", text.at ? text.at : "");
	buf_done(&text);
}

static enum err edit_texts(
	struct db *db, struct node_row *n, const char *url, const char *title, struct reason *why)
{
	enum err e = url ? check_url_free(db, url, n->node.name, why) : OK;

	return e == OK ? set_texts(n, url, title, why) : e;
}

enum err store_node_edit(struct store *st, const struct author *by, const char *name, const char *url,
	const char *title, struct reason *ret_told, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct reason told = {""};
	struct node_row n, before;
	enum err e = get_node(st, db, name, &n, why);

	before = n;
	if (e == OK)
		e = edit_texts(db, &n, url, title, why);
	if (e == OK)
		say_edit(&before, &n, &told);
	if (told.text[0]) {
		save_settings(db, &n);
		tell_node_change(st, db,
			&(struct event){.kind = "node.changed", .node = n.node.name, .by = by}, &before, &n,
			told.text);
	}
	e = store_write_end(st, db, e, why);
	if (e == OK && ret_told)
		*ret_told = told;
	return e;
}

enum err store_node_remove(struct store *st, const struct author *by, const char *name, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct node_row n, before;
	enum err e = get_node(st, db, name, &n, why);

	if (e == OK) {
		before = n;
		n.url[0] = '\0';
		save_settings(db, &n);
		tell_node_change(st, db,
			&(struct event){.kind = "node.removed", .node = before.node.name, .by = by}, &before,
			NULL, "the node was removed; its records stay");
	}
	return store_write_end(st, db, e, why);
}

enum err store_node_pause(
	struct store *st, const struct author *by, const char *name, bool paused, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct node_row n, before;
	enum err e = get_node(st, db, name, &n, why);

	if (e == OK && n.node.paused != paused) {
		before = n;
		n.node.paused = paused;
		save_settings(db, &n);
		tell_node_change(st, db,
			&(struct event){.kind = paused ? "node.paused" : "node.resumed",
				.node = n.node.name,
				.by = by},
			&before, &n, paused ? "an operator paused the node" : "an operator resumed the node");
	}
	return store_write_end(st, db, e, why);
}

static void tell_rotated(
	struct store *st, struct db *db, const struct author *by, const char *name, uint64_t rotation)
{
	struct audit change = {0};

	audit_number(&change.before, "rotation", rotation - 1);
	audit_end(&change.before);
	audit_number(&change.after, "rotation", rotation);
	audit_end(&change.after);
	tell_node(st, db, by, "node.rotated", name, &change, "an operator made it another token");
	audit_done(&change);
}

enum err store_node_rotate(struct store *st, const struct author *by, const char *name,
	uint64_t *ret_rotation, struct reason *why)
{
	struct db *db = store_write_begin(st);
	struct node_row n = {0};
	enum err e = get_node(st, db, name, &n, why);

	if (e == OK) {
		n.node.rotation++;
		save_settings(db, &n);
		tell_rotated(st, db, by, name, n.node.rotation);
	}
	e = store_write_end(st, db, e, why);
	if (e == OK)
		*ret_rotation = n.node.rotation;
	return e;
}
