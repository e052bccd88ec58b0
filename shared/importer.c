#include "shared/importer_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/json_check.h"

#define TICK_ROWS 1000

static void tick(struct importer *im)
{
	im->ticked_rows = im->rows;
	if (im->config->tick)
		im->config->tick(im->config->ctx, im->rows, im->config->in->taken);
}

static enum err flush(struct importer *im, struct reason *why)
{
	const struct import_sink *sink = im->config->sink;
	size_t failed = im->n;
	enum err e = OK;

	if (im->failed != OK)
		return fail(im->failed, why, "%s", im->why.text);
	if (im->n > 0)
		e = sink->put(sink->ctx, im->drafts, im->n, &im->result.counts, &failed, why);
	if (e != OK && failed < im->n)
		im->result.line = im->lines[failed];
	im->n = im->bytes = 0;
	arena_done(&im->arena);
	tick(im);
	return e;
}

/* Nothing comes just now: what has come need not wait for it. */
static void on_idle(void *importer)
{
	struct importer *im = importer;

	if (im->failed == OK && im->n > 0)
		im->failed = flush(im, &im->why);
}

static struct span keep(struct arena *a, struct span s)
{
	return s.len ? (struct span){arena_copy(a, s.at, s.len), s.len} : (struct span){0};
}

/* Line ends between a body's tokens become blanks here: in a batch, a record is a line. */
static struct span keep_body(struct arena *a, struct span body)
{
	char *copy = arena_copy(a, body.at, body.len);

	for (size_t i = 0; i < body.len; i++)
		if (copy[i] == '\n' || copy[i] == '\r')
			copy[i] = ' ';
	return (struct span){copy, body.len};
}

static void count_row(struct importer *im)
{
	if (im->rows - im->ticked_rows >= TICK_ROWS)
		tick(im);
}

enum err importer_add(struct importer *im, const struct draft *d, uint64_t line, struct reason *why)
{
	size_t bytes = d->owner.len + d->id.len + d->type.len + d->body.len + IMPORT_FRAME_BYTES;
	enum err e = OK;

	if (d->body.len > RECORD_BODY_MAX)
		return fail(INVALID, why, "body: " RECORD_BODY_RULE);
	if (im->n == IMPORT_BATCH_RECORDS || im->bytes + bytes > IMPORT_BATCH_BYTES)
		e = flush(im, why);
	if (e != OK)
		return e;
	im->lines[im->n] = line;
	im->drafts[im->n++] = (struct draft){.owner = keep(&im->arena, d->owner),
		.id = keep(&im->arena, d->id),
		.type = keep(&im->arena, d->type),
		.body = keep_body(&im->arena, d->body)};
	im->bytes += bytes;
	count_row(im);
	return OK;
}

enum err importer_remove(struct importer *im, const struct draft *d, uint64_t line, struct reason *why)
{
	const struct import_sink *sink = im->config->sink;
	enum err e = flush(im, why); /* the file's order holds */

	if (e != OK)
		return e;
	im->result.line = line;
	e = sink->remove(sink->ctx, d, &im->result.counts, why);
	if (e == OK)
		im->result.line = 0;
	count_row(im);
	return e;
}

enum err importer_owner(const struct importer *im, struct draft *d, struct reason *why)
{
	if (!im->config->sink->owners) {
		d->owner = (struct span){0};
		return OK;
	}
	if (im->options->owner)
		d->owner = span_of(im->options->owner);
	if (d->owner.len == 0)
		return fail(INVALID, why, "owner: missing; give --owner NODE");
	return record_owner_ok(d->owner) ? OK : fail(INVALID, why, "owner: " RECORD_OWNER_RULE);
}

static enum err begin(struct importer *im, struct reason *why)
{
	struct input *in = im->config->in;
	enum err e = OK;

	im->drafts = calloc(IMPORT_BATCH_RECORDS, sizeof *im->drafts);
	im->lines = calloc(IMPORT_BATCH_RECORDS, sizeof *im->lines);
	if (!im->drafts || !im->lines)
		return fail(RETRY, why, "out of memory");
	in->idle = on_idle;
	in->ctx = im;
	while (e == OK && !in->ended && input_rest(in).len < 3)
		e = input_more(in, why);
	struct span rest = input_rest(in);
	if (rest.len >= 3 && memcmp(rest.at, "\xef\xbb\xbf", 3) == 0)
		input_take(in, 3); /* a byte order mark */
	else if (rest.len >= 2 &&
		 (memcmp(rest.at, "\xff\xfe", 2) == 0 || memcmp(rest.at, "\xfe\xff", 2) == 0))
		e = fail(INVALID, why, "this is UTF-16; save it as UTF-8");
	return e;
}

enum err importer_run(const struct importer_config *c, struct import_result *ret, struct reason *why)
{
	struct importer im = {.config = c, .format = c->format, .options = c->format->options};
	struct reason last;
	enum err e = begin(&im, why);

	if (e == OK && c->format->kind == FORMAT_CSV)
		e = importer_read_csv(&im, why);
	else if (e == OK)
		e = importer_read_json(&im, why);
	/* What stands before a wrong line is right; but not after the sink has failed. */
	uint64_t line = im.result.line;
	if (e == OK || e == INVALID) {
		im.result.line = 0;
		enum err flushed = flush(&im, &last);
		if (flushed != OK)
			e = fail(flushed, why, "%s", last.text);
		else
			im.result.line = line;
	}
	c->in->idle = NULL;
	free(im.drafts);
	free(im.lines);
	free(im.seen.at);
	arena_done(&im.arena);
	*ret = im.result;
	return e;
}
