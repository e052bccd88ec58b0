/* What is told from outside: a node has changed, somebody wants it asked, a record of it was edited. */
#include "central/scheduler_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

/* Shows at once what an operator changed; the position is left to the worker that may be moving it. */
static void show_change(struct slot *slot, const struct node_row *row)
{
	bool at_rest = slot->place == SLOT_IDLE || slot->place == SLOT_WAITING;
	struct node_sync sync = at_rest ? row->node.sync : slot->node.sync;
	slot_take_row(slot, row);
	slot->node.sync = sync;
}

/* `row` is the node as it was read, where `e` is OK; GONE: there is none. */
static void take_row(struct scheduler *s, const char *name, enum err e, struct node_row *row, bool interrupt)
{
	pthread_mutex_lock(&s->lock);
	struct slot *slot = slots_find(&s->slots, name);
	bool is_new = !slot;
	if (is_new && e != OK) { /* it may be there, or not */
		*row = (struct node_row){.title = ""};
		(void)snprintf(row->node.name, sizeof row->node.name, "%s", name);
	}
	if (is_new && e != GONE)
		slot = scheduler_insert(s, row);
	if (slot) {
		slot->changed = true; /* read again by the worker: it may have moved since */
		slot->gone = e == GONE || (is_new && e != OK);
		if (e == OK)
			show_change(slot, row);
		scheduler_nudge(s, slot, interrupt);
	}
	pthread_mutex_unlock(&s->lock);
}

static void take_change(struct scheduler *s, const char *name, bool interrupt)
{
	struct node_row row;
	struct reason why;
	enum err e = store_node_row(s->applier.store, name, &row, &why);
	take_row(s, name, e, &row, interrupt);
}

void scheduler_changed(struct scheduler *s, const char *name)
{
	take_change(s, name, true);
}

static int by_name(const void *name, const void *row)
{
	return strcmp(name, ((const struct node_row *)row)->node.name);
}

void scheduler_changed_all(struct scheduler *s, const char *const *names, size_t n)
{
	struct nodes ns = {0};
	struct node_row unknown;
	struct reason why;
	enum err e = store_nodes(s->applier.store, &ns, &why);
	for (size_t i = 0; i < n; i++) {
		struct node_row *found = ns.n ? bsearch(names[i], ns.at, ns.n, sizeof *ns.at, by_name) : NULL;
		take_row(s, names[i], e == OK && !found ? GONE : e, found ? found : &unknown, true);
	}
	nodes_done(&ns);
}

void scheduler_renamed(struct scheduler *s, const char *name)
{
	take_change(s, name, false);
}

void scheduler_ask(struct scheduler *s, const char *name)
{
	pthread_mutex_lock(&s->lock);
	struct slot *slot = slots_find(&s->slots, name);
	if (slot) {
		slot->asked = true;
		scheduler_nudge(s, slot, slot_interrupt(slot, clock_mono_us()));
	}
	pthread_mutex_unlock(&s->lock);
}

void scheduler_edited(struct scheduler *s, const char *name)
{
	pthread_mutex_lock(&s->lock);
	struct slot *slot = slots_find(&s->slots, name);
	if (slot) {
		slot->edited = true;
		slot->run.to_push = true; /* not in sync from this moment on */
		scheduler_nudge(s, slot, slot_interrupt(slot, clock_mono_us()));
	}
	pthread_mutex_unlock(&s->lock);
}
