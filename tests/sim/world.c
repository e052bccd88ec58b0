#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "tests/sim/carrier.h"
#include "tests/sim/oracle.h"
#include "tests/sim/past.h"
#include "tests/sim/poison.h"
#include "tests/sim/stand_in.h"
#include "tests/sim/trace.h"

void world_fail(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	trace_show(stderr);
	fprintf(stderr, "seed %llu, step %u: ", (unsigned long long)w->seed, w->step);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nagain: %s\n", w->replay);
	exit(1);
}

void site_start(struct world *w, struct site *s)
{
	struct replica_config c = {
		.path = s->db.path, .node = s->name, .positions_kept = w->rules.positions_kept};
	struct reason why;

	if (replica_open(&s->replica, &c, &why) != OK)
		world_fail(w, "%s does not open: %s", s->name, why.text);
	s->writer = writer_new(s->replica);
	memset(&s->local, 0, sizeof s->local);
	s->local.replica = s->replica;
	s->local.writer = s->writer;
	s->local.never_wait = true;
	s->local.started_us = clock_mono_us();
	memset(&s->router, 0, sizeof s->router);
	routes_init(&s->router, &s->local);
	s->router.hosts = "";
}

void site_stop(struct site *s)
{
	writer_free(s->writer);
	replica_close(s->replica);
	s->writer = NULL;
	s->replica = NULL;
}

void centre_start(struct world *w)
{
	struct store_config c = {.url = w->db.url, .policy = w->rules.policy};
	struct reason why;

	if (store_open(&w->store, &c, &why) != OK)
		world_fail(w, "the centre does not open: %s", why.text);
}

/* What was on its way dies with the centre. */
void centre_stop(struct world *w)
{
	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		carrier_drop(&s->flight);
		carrier_drop_lates(s);
		node_run_done(&s->run);
		memset(&s->run, 0, sizeof s->run);
	}
	store_close(w->store);
	w->store = NULL;
}

void world_init(struct world *w, const struct rules *rules, uint64_t seed, const char *replay)
{
	struct reason why;

	memset(w, 0, sizeof *w);
	w->rules = *rules;
	w->seed = seed;
	w->replay = replay;
	database_open(&w->db, "centre", rules->postgres); /* the first time this draws, too */
	stand_in_begin(seed);
	centre_start(w);
	for (unsigned i = 0; i < rules->sites; i++) {
		struct site *s = &w->sites[i];
		char url[32];

		s->place = i;
		snprintf(s->name, sizeof s->name, "n%u", i);
		snprintf(url, sizeof url, "http://n%u", i);
		database_open(&s->db, s->name, false);
		site_start(w, s);
		if (store_node_add(w->store, NULL, s->name, url, "", &why) != OK)
			world_fail(w, "%s is not added: %s", s->name, why.text);
	}
	w->poison = (rules->faults & FAULT_POISON) != 0;
	poison_put(w);
	oracle_begin(w);
}

void world_done(struct world *w)
{
	centre_stop(w);
	for (unsigned i = 0; i < w->rules.sites; i++) {
		struct site *s = &w->sites[i];

		site_stop(s);
		database_close(&s->db);
		site_view_done(&s->view);
		past_forget(s);
		for (unsigned k = 0; k < COPIES; k++)
			copy_done(&s->copies[k]);
		copy_done(&s->twin);
	}
	for (unsigned k = 0; k < COPIES; k++)
		copy_done(&w->copies[k]);
	database_close(&w->db);
	centre_view_done(&w->view);
	lineage_done(&w->lineage);
}
