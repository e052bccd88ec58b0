/* What is told of each node, metric by metric. */
#include "central/api_metrics_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "central/backlog.h"
#include "central/clocks.h"
#include "shared/clock.h"

/* One figure a node; false = not known. */
typedef bool figure_fn(const struct node_glance *g, double *ret);

static bool figure_up(const struct node_glance *g, double *ret)
{
	*ret = g->run->heard && g->run->failures == 0;
	return true;
}

static bool figure_pulled(const struct node_glance *g, double *ret)
{
	*ret = (double)g->run->pulled;
	return true;
}

static bool figure_pushed(const struct node_glance *g, double *ret)
{
	*ret = (double)g->run->pushed;
	return true;
}

static bool figure_records(const struct node_glance *g, double *ret)
{
	*ret = (double)g->node->sync.digest.count;
	return true;
}

/* How old is the oldest record that the node has and the centre lacks? */
static bool figure_lag(const struct node_glance *g, double *ret)
{
	int64_t age_us = clock_wall_us() - g->run->oldest_us;
	if (!backlog_is_current(g->node, g->run))
		return false;
	if (g->run->oldest_us < 0) {
		*ret = 0;
		return g->run->pull_backlog == 0;
	}
	*ret = age_us > 0 ? (double)age_us / 1e6 : 0;
	return true;
}

static bool figure_proof_age(const struct node_glance *g, double *ret)
{
	*ret = (double)(clock_mono_us() - g->run->proof.mono_us) / 1e6;
	return g->run->proof.known && g->run->proof.equal;
}

static bool figure_offset(const struct node_glance *g, double *ret)
{
	struct offset_reading m;
	if (!offset_read(&g->run->clock.measured, clock_mono_us(), &m))
		return false;
	*ret = (double)m.offset_us / 1e6;
	return true;
}

static bool figure_offset_error(const struct node_glance *g, double *ret)
{
	struct offset_reading m;
	if (!offset_read(&g->run->clock.measured, clock_mono_us(), &m))
		return false;
	*ret = (double)m.error_us / 1e6;
	return true;
}

static bool figure_skewed(const struct node_glance *g, double *ret)
{
	struct offset_reading m;
	if (!offset_read(&g->run->clock.measured, clock_mono_us(), &m))
		return false;
	*ret = offset_is_skewed(&m);
	return true;
}

static bool figure_disagrees(const struct node_glance *g, double *ret)
{
	int disagrees = clocks_disagree(g->run);
	*ret = disagrees == 1;
	return disagrees >= 0;
}

static bool figure_synchronised(const struct node_glance *g, double *ret)
{
	*ret = g->run->clock.error_us >= 0;
	return g->run->clock.told;
}

static bool figure_quarantined(const struct node_glance *g, double *ret)
{
	*ret = (double)g->node->sync.quarantined;
	return true;
}

#define FIGURES 12
static const struct figure {
	const char *name, *type, *help;
	figure_fn *get;
} figures[FIGURES] = {
	{"tidemark_node_up", "gauge", "1 when the last exchange with the node was good.", figure_up},
	{"tidemark_records_pulled_total", "counter", "Records taken from the node in this run.",
		figure_pulled},
	{"tidemark_records_pushed_total", "counter", "Records given to the node in this run.", figure_pushed},
	{"tidemark_records", "gauge", "Records of the node at the centre, tombstones included.",
		figure_records},
	{"tidemark_node_quarantined", "gauge", "Records of the node that are kept apart.",
		figure_quarantined},
	{"tidemark_lag_seconds", "gauge", "Age of the oldest record not pulled yet.", figure_lag},
	{"tidemark_proof_age_seconds", "gauge", "Time since both ends were last proven equal.",
		figure_proof_age},
	{"tidemark_clock_offset_seconds", "gauge", "The node's clock minus the centre's.", figure_offset},
	{"tidemark_clock_offset_error_seconds", "gauge", "How far that may be wrong.", figure_offset_error},
	{"tidemark_clock_skewed", "gauge", "1 when the node's clock is farther off than it should be.",
		figure_skewed},
	{"tidemark_clock_disagrees", "gauge",
		"1 when the node's clock is off by more than both clocks' keepers say is possible.",
		figure_disagrees},
	{"tidemark_node_clock_synchronised", "gauge", "1 when something keeps the node's clock.",
		figure_synchronised},
};

/* What is told of a node: taken in passing, since its metrics stand far apart in the answer. */
struct row {
	char name[RECORD_OWNER_MAX + 1];
	enum node_state state;
	unsigned ailing;
	uint32_t results[POLL_RESULTS];
	double figures[FIGURES]; /* NAN = not known */
	struct backlog_way pull, push;
	bool counts_push; /* the store is to count what waits */
};

struct rows {
	struct row *at;
	size_t n, room;
	size_t n_counts; /* of those that count pushes */
};

static void make_room(struct rows *rows)
{
	if (rows->n < rows->room)
		return;
	rows->room = rows->room ? 2 * rows->room : 64;
	rows->at = realloc(rows->at, rows->room * sizeof *rows->at);
	if (!rows->at)
		err_out_of_memory();
}

static void take_row(void *ctx, const struct node_glance *g)
{
	struct rows *rows = ctx;
	make_room(rows);
	struct row *r = &rows->at[rows->n++];
	*r = (struct row){.state = g->state,
		.ailing = g->ailing,
		.pull = backlog_to_pull(g->node, g->run),
		.push = {.known = true},
		.counts_push = backlog_counts_push(g->node, g->run)};
	memcpy(r->name, g->node->name, sizeof r->name);
	memcpy(r->results, g->results, sizeof r->results);
	for (int i = 0; i < FIGURES; i++)
		if (!figures[i].get(g, &r->figures[i]))
			r->figures[i] = NAN;
	rows->n_counts += r->counts_push;
}

/* *st becomes NULL where it cannot say. */
static void count_pushes(struct store **st, struct rows *rows)
{
	struct owner_counts *counts = calloc(rows->n_counts + 1, sizeof *counts);
	struct reason why;
	size_t n = 0;
	if (!counts)
		err_out_of_memory();
	for (size_t i = 0; i < rows->n; i++)
		if (rows->at[i].counts_push)
			counts[n++] =
				(struct owner_counts){.owner = rows->at[i].name, .wanted = STORE_COUNT_PUSH};
	bool known = centre_knows(store_counts(*st, counts, n, &why), &why);
	for (size_t i = 0, k = 0; i < rows->n; i++)
		if (rows->at[i].counts_push)
			rows->at[i].push =
				(struct backlog_way){.known = known, .records = counts[k++].to_push};
	free(counts);
	if (!known)
		*st = NULL;
}

static void put_states(struct buf *out, const struct rows *rows)
{
	uint64_t counts[NODE_STATES] = {0};
	for (size_t i = 0; i < rows->n; i++)
		counts[rows->at[i].state]++;
	api_metrics_begin(out, "tidemark_nodes", "gauge", "Nodes by state.");
	for (int i = 0; i < NODE_STATES; i++)
		buf_printf(out, "tidemark_nodes{state=\"%s\"} %llu\n", node_state_name((enum node_state)i),
			(unsigned long long)counts[i]);
}

/* NAME{node="…" without what follows.  There are many such lines. */
static void begin_line(struct buf *out, const char *name, const struct row *r)
{
	buf_text(out, name);
	buf_text(out, "{node=\"");
	buf_text(out, r->name);
	buf_char(out, '"');
}

static void put_label(struct buf *out, const char *name, const char *value)
{
	buf_char(out, ',');
	buf_text(out, name);
	buf_text(out, "=\"");
	buf_text(out, value);
	buf_char(out, '"');
}

static void end_line(struct buf *out, uint64_t n)
{
	buf_text(out, "} ");
	buf_u64(out, n);
	buf_char(out, '\n');
}

static void put_polls(struct buf *out, const struct rows *rows)
{
	static const char name[] = "tidemark_polls_total";
	api_metrics_begin(out, name, "counter", "Exchanges by what came of them.");
	for (size_t i = 0; i < rows->n; i++)
		for (int k = 0; k < POLL_RESULTS; k++) {
			const struct row *r = &rows->at[i];
			if (r->results[k] == 0 && k != POLL_OK)
				continue;
			begin_line(out, name, r);
			put_label(out, "result", poll_result_name((enum poll_result)k));
			end_line(out, r->results[k]);
		}
}

/* Only the present word has a series: a node that changes leaves one behind, which goes stale at the next scrape. */
static void put_words(struct buf *out, const struct rows *rows)
{
	static const char name[] = "tidemark_node_state";
	api_metrics_begin(out, name, "gauge", "The node's present state, as its label; always 1.");
	for (size_t i = 0; i < rows->n; i++) {
		begin_line(out, name, &rows->at[i]);
		put_label(out, "state", node_state_name(rows->at[i].state));
		end_line(out, 1);
	}
}

/* Most figures are small whole numbers. */
static void put_figure(struct buf *out, int i, const struct rows *rows)
{
	const struct figure *f = &figures[i];
	api_metrics_begin(out, f->name, f->type, f->help);
	for (size_t k = 0; k < rows->n; k++) {
		double x = rows->at[k].figures[i];
		if (isnan(x))
			continue;
		begin_line(out, f->name, &rows->at[k]);
		if (x >= 0 && x < 1e9 && x == (double)(uint64_t)x)
			end_line(out, (uint64_t)x);
		else
			buf_printf(out, "} %.9g\n", x);
	}
}

static void put_way(struct buf *out, const struct row *r, const char *direction, const struct backlog_way *w)
{
	if (!w->known)
		return;
	begin_line(out, "tidemark_backlog_records", r);
	put_label(out, "direction", direction);
	end_line(out, w->records);
}

static void put_backlogs(struct buf *out, const struct rows *rows)
{
	api_metrics_begin(out, "tidemark_backlog_records", "gauge", "Records that wait, by direction.");
	for (size_t i = 0; i < rows->n; i++) {
		put_way(out, &rows->at[i], "pull", &rows->at[i].pull);
		put_way(out, &rows->at[i], "push", &rows->at[i].push);
	}
}

/* Only what there is: one line for each ailment of each node. */
static void put_ailing(struct buf *out, const struct rows *rows)
{
	static const char name[] = "tidemark_node_unwell";
	api_metrics_begin(out, name, "gauge", "1 for what is wrong with a node though it is up, by kind.");
	for (size_t i = 0; i < rows->n; i++)
		for (int a = 0; rows->at[i].ailing && a < AILMENTS; a++) {
			if (!(rows->at[i].ailing & AILMENT_BIT(a)))
				continue;
			begin_line(out, name, &rows->at[i]);
			put_label(out, "kind", ailment_name((enum ailment)a));
			end_line(out, 1);
		}
}

void api_metrics_put_nodes(struct scheduler *s, struct store **st, struct buf *out)
{
	struct rows rows = {.n = 0};
	scheduler_each(s, take_row, &rows);
	count_pushes(st, &rows);
	put_states(out, &rows);
	put_words(out, &rows);
	put_polls(out, &rows);
	for (int i = 0; i < FIGURES; i++)
		put_figure(out, i, &rows);
	put_backlogs(out, &rows);
	put_ailing(out, &rows);
	free(rows.at);
}
