/*
 * exporter_private - what exporter.c, its pages, its CSV and its order share.
 */
#ifndef SHARED_EXPORTER_PRIVATE_H
#define SHARED_EXPORTER_PRIVATE_H

#include <stdio.h>

#include "shared/exporter.h"
#include "shared/json_check.h"

/* A record of a page, as spans into it. */
struct exported {
	struct span whole, owner, id, type;
	struct json_value body;
	struct span created, updated; /* without quotes */
	uint64_t n;                   /* of its dot */
};

/* A page, cut into records.  INVALID: the other end answered something else. */
struct export_page {
	struct exported *at;
	size_t n;
	struct span next; /* empty: this was the last */
	struct arena arena;
};
void export_page_done(struct export_page *p);
enum err export_page_read(struct export_page *ret, struct span text, struct reason *why) MUST_USE;

/* Lines that wait to be sorted, in a file without a name. */
struct spool {
	FILE *lines, *entries;
	uint64_t bytes, n;
};
enum err spool_open(struct spool *s, struct reason *why) MUST_USE;
void spool_done(struct spool *s);
enum err spool_put(
	struct spool *s, int64_t created_us, uint64_t n, struct span line, struct reason *why) MUST_USE;
typedef enum err spool_line_fn(void *ctx, struct span line, struct reason *why);
/* By the time they were first written, then by dot, then as they came. */
enum err spool_each(struct spool *s, spool_line_fn *each, void *ctx, struct reason *why) MUST_USE;

/* CSV: its columns, and how a record's id comes back from it. */
enum export_ids { IDS_COLUMN, IDS_ROWS, IDS_OWN_COLUMN, IDS_NONE };
struct export_csv {
	const struct format *format;
	bool owners, decided;
	size_t n;
	struct span *names, *keys, *cells;
	enum format_column *what;
	enum export_ids ids;
	size_t id; /* the column of IDS_COLUMN */
	char prefix[FORMAT_PREFIX_MAX + 1];
	uint64_t rows;
	char owner[RECORD_OWNER_MAX + 1], type[RECORD_TYPE_MAX + 1]; /* of the first: all are of these */
	struct buf body;
	struct arena arena;
};
/* Looks at the first page for what the options leave open. */
enum err export_csv_decide(struct export_csv *x, const struct export_page *p, struct reason *why) MUST_USE;
void export_csv_header(struct export_csv *x, struct buf *out);
enum err export_csv_row(
	struct export_csv *x, const struct exported *r, struct buf *out, struct reason *why) MUST_USE;
void export_csv_advice(const struct export_csv *x, enum err e, char *ret, size_t size);
void export_csv_done(struct export_csv *x);

#endif
