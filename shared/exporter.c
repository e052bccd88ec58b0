#include "shared/exporter_private.h"

#include <string.h>

#include "shared/clock.h"

struct exporter {
	const struct exporter_config *config;
	const struct format *format;
	struct export_csv csv;
	bool sorted; /* by the time of writing: through the spool */
	struct spool spool;
	struct buf line;
	struct buf prefix; /* "P:" of --id-prefix; empty: all */
	uint64_t records, written;
};

/* One line that may go out: separated from the one before it as the format wants. */
static enum err put_line(void *exporter, struct span line, struct reason *why)
{
	struct exporter *ex = exporter;
	bool json = ex->format->kind == FORMAT_JSON;
	enum err e = OK;

	if (json)
		e = output_put(ex->config->out, span_of(ex->written ? ",\n" : "[\n"), why);
	ex->written++;
	return e == OK ? output_put(ex->config->out, line, why) : e;
}

static enum err put_record(struct exporter *ex, const struct exported *r, struct reason *why)
{
	enum err e = OK;

	buf_clear(&ex->line);
	if (ex->format->kind == FORMAT_CSV)
		e = export_csv_row(&ex->csv, r, &ex->line, why);
	else
		buf_put(&ex->line, ex->format->options->bodies ? r->body.raw : r->whole);
	if (ex->format->kind == FORMAT_NDJSON)
		buf_char(&ex->line, '\n');
	if (e != OK)
		return e;
	if (buf_failed(&ex->line))
		return fail(RETRY, why, "out of memory");
	ex->records++;
	if (ex->sorted)
		return spool_put(&ex->spool, clock_parse(r->created.at, r->created.len), r->n,
			buf_span(&ex->line), why);
	return put_line(ex, buf_span(&ex->line), why);
}

/* What the first page decides. */
static enum err decide(struct exporter *ex, const struct export_page *p, struct reason *why)
{
	const char *order = ex->format->options->order;
	enum err e = OK;

	if (ex->format->kind == FORMAT_CSV) {
		e = export_csv_decide(&ex->csv, p, why);
		export_csv_header(&ex->csv, &ex->line);
		if (e == OK && buf_failed(&ex->line))
			e = fail(RETRY, why, "out of memory");
		if (e == OK)
			e = output_put(ex->config->out, buf_span(&ex->line), why);
	}
	ex->sorted = order ? strcmp(order, "written") == 0
			   : ex->format->kind == FORMAT_CSV && ex->csv.ids == IDS_COLUMN;
	if (e == OK && ex->sorted)
		e = spool_open(&ex->spool, why);
	return e;
}

static bool is_wanted(const struct exporter *ex, struct span id)
{
	size_t len = ex->prefix.len;

	return len == 0 || (id.len > len && memcmp(id.at, ex->prefix.at, len) == 0);
}

/* Ids rise within an owner: none of the prefix follows when this one is behind them. */
static bool is_behind(const struct exporter *ex, struct span id)
{
	size_t len = ex->prefix.len < id.len ? ex->prefix.len : id.len;
	bool one_owner = !ex->config->source->owners || ex->format->options->owner;

	return one_owner && memcmp(id.at, ex->prefix.at, len) > 0;
}

/* Of OWNER/ID, or of an id. */
static struct span id_of(struct span key)
{
	const char *slash = key.len ? memrchr(key.at, '/', key.len) : NULL;

	return slash ? (struct span){slash + 1, key.len - (size_t)(slash + 1 - key.at)} : key;
}

static void leave_out(struct exporter *ex, struct export_page *p)
{
	size_t n = 0;

	if (ex->prefix.len == 0)
		return;
	if (p->next.len > 0 && is_behind(ex, id_of(p->next)))
		p->next = (struct span){0};
	for (size_t i = 0; i < p->n; i++)
		if (is_wanted(ex, p->at[i].id))
			p->at[n++] = p->at[i];
	p->n = n;
}

/* One page; `after` becomes what the next one begins behind, empty at the end. */
static enum err do_page(struct exporter *ex, struct buf *after, struct reason *why)
{
	const struct export_source *source = ex->config->source;
	struct export_page p = {0};
	struct buf text = {0};
	bool first = ex->records == 0;
	enum err e = source->page(source->ctx, buf_span(after), &text, why);

	if (e == OK)
		e = export_page_read(&p, buf_span(&text), why);
	if (e == OK)
		leave_out(ex, &p);
	if (e == OK && first && p.n > 0)
		e = decide(ex, &p, why);
	for (size_t i = 0; i < p.n && e == OK; i++)
		e = put_record(ex, &p.at[i], why);
	buf_clear(after);
	buf_put(after, p.next);
	if (e == OK && buf_failed(after)) /* else it would look like the end */
		e = fail(RETRY, why, "out of memory");
	export_page_done(&p);
	buf_done(&text);
	if (ex->config->tick)
		ex->config->tick(ex->config->ctx, ex->records, ex->config->out->bytes + ex->spool.bytes);
	return e;
}

/* Where --id-prefix begins, when that is one place. */
static void begin_after(struct exporter *ex, struct buf *after)
{
	const struct format_options *o = ex->format->options;

	if (ex->prefix.len == 0 || (ex->config->source->owners && !o->owner))
		return;
	if (ex->config->source->owners)
		buf_printf(after, "%s/", o->owner);
	buf_put(after, buf_span(&ex->prefix));
}

static enum err end(struct exporter *ex, struct reason *why)
{
	struct buf header = {0};
	enum err e = OK;

	if (ex->sorted)
		e = spool_each(&ex->spool, put_line, ex, why);
	if (e == OK && ex->format->kind == FORMAT_JSON)
		e = output_put(ex->config->out, span_of(ex->written ? "\n]\n" : "[]\n"), why);
	if (e == OK && ex->records == 0 && ex->format->kind == FORMAT_CSV && ex->format->options->columns) {
		e = export_csv_decide(&ex->csv, &(struct export_page){0}, why);
		export_csv_header(&ex->csv, &header);
		if (e == OK)
			e = output_put(ex->config->out, buf_span(&header), why);
		buf_done(&header);
	}
	return e;
}

enum err exporter_run(const struct exporter_config *c, struct export_result *ret, struct reason *why)
{
	struct exporter ex = {.config = c, .format = c->format};
	struct buf after = {0};
	enum err e;

	ex.csv.format = c->format;
	ex.csv.owners = c->source->owners;
	if (c->format->prefix_given)
		buf_printf(&ex.prefix, "%s:", c->format->prefix);
	begin_after(&ex, &after);
	if (buf_failed(&ex.prefix) || buf_failed(&after))
		err_out_of_memory();
	do
		e = do_page(&ex, &after, why);
	while (e == OK && after.len > 0);
	if (e == OK)
		e = end(&ex, why);
	*ret = (struct export_result){.records = ex.records};
	if (ex.csv.decided)
		export_csv_advice(&ex.csv, e, ret->advice, sizeof ret->advice);
	spool_done(&ex.spool);
	export_csv_done(&ex.csv);
	buf_done(&ex.line);
	buf_done(&ex.prefix);
	buf_done(&after);
	return e;
}
