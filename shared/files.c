#include "shared/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/progress.h"

/* One run, as its progress sees it. */
struct moving {
	struct progress progress;
	struct progress_point at;
};

static void begin(struct moving *m, const struct files_job *p, const char *name, int64_t total_bytes)
{
	m->at = (struct progress_point){.label = name,
		.counted = PROGRESS_RECORDS | PROGRESS_BYTES,
		.total = total_bytes > 0 ? (uint64_t)total_bytes : 0};
	progress_begin(&m->progress, p->format->options->quiet || p->format->options->json);
}

static void move(void *moving, uint64_t records, uint64_t bytes)
{
	struct moving *m = moving;

	m->at.records = records;
	m->at.bytes = bytes;
	progress_move(&m->progress, &m->at);
}

static uint64_t total(const struct import_counts *c)
{
	return c->created + c->changed + c->unchanged + c->deleted;
}

static void put_records(struct buf *out, uint64_t n)
{
	buf_printf(out, "%" PRIu64 " record%s", n, n == 1 ? "" : "s");
}

static void put_counts(struct buf *out, const struct import_counts *c)
{
	buf_printf(out, "%" PRIu64 " created, %" PRIu64 " changed, %" PRIu64 " unchanged", c->created,
		c->changed, c->unchanged);
	if (c->deleted)
		buf_printf(out, ", %" PRIu64 " deleted", c->deleted);
}

static void put_rate(struct buf *out, uint64_t records, double seconds)
{
	buf_printf(out, "%.1f s", seconds);
	if (seconds > 0)
		buf_printf(out, ", %.0f records/s", (double)records / seconds);
}

static void complain(const struct files_job *p, const char *name, enum err e, const struct import_result *r,
	const struct reason *why)
{
	const struct import_counts *c = &r->counts;

	fprintf(stderr, "%s: %s", p->program, name);
	if (r->line)
		fprintf(stderr, ":%" PRIu64, r->line);
	fprintf(stderr, ": %s\n", why->text);
	if (r->line && total(c))
		fprintf(stderr,
			"What stands before that line is imported: %" PRIu64 " created, %" PRIu64
			" changed, %" PRIu64 " unchanged.\n"
			"Try: mend the line and import the file again; what is there already is not written "
			"again\n",
			c->created, c->changed, c->unchanged);
	else if (e != INVALID && e != GONE && total(c))
		fprintf(stderr,
			"Imported before that: %" PRIu64 ".\n"
			"Try: import the file again; what is there already is not written again\n",
			total(c));
}

static void tell_import(
	const struct files_job *p, const struct input *in, const struct import_result *r, double seconds)
{
	const struct import_counts *c = &r->counts;
	struct buf line = {0};

	if (p->format->options->json) {
		buf_text(&line, "{\"file\":");
		buf_json_text(&line, span_of(p->path));
		buf_printf(&line,
			",\"records\":%" PRIu64 ",\"created\":%" PRIu64 ",\"changed\":%" PRIu64
			",\"unchanged\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"bytes\":%" PRIu64
			",\"duration_ms\":%.0f}\n",
			total(c), c->created, c->changed, c->unchanged, c->deleted, in->taken,
			seconds * 1000);
	} else {
		put_records(&line, total(c));
		buf_printf(&line, " from %s: ", in->name);
		put_counts(&line, c);
		buf_text(&line, " (");
		put_rate(&line, total(c), seconds);
		buf_text(&line, ")\n");
	}
	fputs(line.at, stdout);
	buf_done(&line);
}

enum err files_import(const struct files_job *p, const struct import_sink *sink)
{
	struct import_result result = {0};
	struct moving moving;
	struct input in;
	struct reason why;
	enum err e = input_open(&in, p->path, &why);

	if (e != OK) {
		complain(p, p->path, e, &result, &why);
		return e;
	}
	begin(&moving, p, in.name, in.size);
	const struct importer_config config = {
		.format = p->format, .in = &in, .sink = sink, .tick = move, .ctx = &moving};
	e = importer_run(&config, &result, &why);
	double seconds = progress_end(&moving.progress);
	if (e == OK)
		tell_import(p, &in, &result, seconds);
	else
		complain(p, in.name, e, &result, &why);
	input_close(&in);
	return e;
}

/* The summary goes where the records do not. */
static void tell_export(const struct files_job *p, const char *name, const struct export_result *r,
	uint64_t bytes, double seconds)
{
	FILE *to = strcmp(p->path, "-") == 0 ? stderr : stdout;
	const struct format_options *o = p->format->options;
	struct buf line = {0};

	if (o->json) {
		buf_text(&line, "{\"file\":");
		buf_json_text(&line, span_of(p->path));
		buf_printf(&line, ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"duration_ms\":%.0f}\n",
			r->records, bytes, seconds * 1000);
	} else if (to == stdout || !o->quiet) {
		put_records(&line, r->records);
		buf_printf(&line, " to %s (", name);
		put_rate(&line, r->records, seconds);
		buf_printf(&line, ")%s%s\n", r->advice[0] ? "; " : "", r->advice);
	}
	fputs(line.at ? line.at : "", to);
	buf_done(&line);
}

enum err files_export(const struct files_job *p, const struct export_source *source)
{
	struct export_result result = {0};
	struct moving moving;
	struct output out;
	struct reason why;
	enum err e = output_open(&out, p->path, &why);

	if (e != OK) {
		fprintf(stderr, "%s: %s: %s\n", p->program, p->path, why.text);
		return e;
	}
	begin(&moving, p, out.path, -1);
	const struct exporter_config config = {
		.format = p->format, .source = source, .out = &out, .tick = move, .ctx = &moving};
	e = exporter_run(&config, &result, &why);
	double seconds = progress_end(&moving.progress);
	uint64_t bytes = out.bytes;
	const char *name = out.path;
	struct reason last;
	enum err ended = output_end(&out, e == OK, &last);
	if (e == OK && ended != OK) {
		why = last;
		e = ended;
	}
	if (e == OK) {
		tell_export(p, name, &result, bytes, seconds);
		return OK;
	}
	fprintf(stderr, "%s: %s: %s\n", p->program, name, why.text);
	if (result.advice[0])
		fprintf(stderr, "Try: %s\n", result.advice);
	return e;
}
