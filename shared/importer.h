/*
 * importer - records out of a file into a sink, a batch at a time.
 *
 * A value is a whole record (an object with `type` and `body`, as export writes it), or, when the format says a type,
 * the body of one; a CSV row is an object of texts.  Every record gets an id that the same file gives
 * again: its own, a column's, or its row's number under a prefix.  So importing twice writes nothing twice, and
 * an import that was interrupted is simply run again.
 *
 * Reading stops at the first thing that is wrong; what stands before it is written.  One thread.
 */
#ifndef SHARED_IMPORTER_H
#define SHARED_IMPORTER_H

#include "shared/format.h"
#include "shared/input.h"

#define IMPORT_BATCH_RECORDS 10000
#define IMPORT_BATCH_BYTES (8 * 1024 * 1024)
/* What a record takes in a request beside its spans, at most. */
#define IMPORT_FRAME_BYTES 64

struct import_counts {
	uint64_t created, changed, unchanged, deleted;
};

/* Where records go: a database of this process, or a server. */
struct import_sink {
	void *ctx;
	bool owners; /* the centre's: every record has an owner */
	/* All or nothing: at most IMPORT_BATCH_RECORDS and IMPORT_BATCH_BYTES.  *ret_failed: which draft, or n. */
	enum err (*put)(void *ctx, const struct draft *drafts, size_t n, struct import_counts *counts,
		size_t *ret_failed, struct reason *why);
	/* A record that is not there, or deleted already, is unchanged. */
	enum err (*remove)(
		void *ctx, const struct draft *which, struct import_counts *counts, struct reason *why);
};

struct importer_config {
	const struct format *format;
	struct input *in;
	const struct import_sink *sink;
	void (*tick)(void *ctx, uint64_t records, uint64_t bytes); /* after each batch and now and then */
	void *ctx;
};

struct import_result { /* also of an import that failed */
	struct import_counts counts;
	uint64_t line; /* where it went wrong; 0 = not at a line */
};

/* INVALID: the file is wrong at `line`; else as the sink said. */
enum err importer_run(
	const struct importer_config *c, struct import_result *ret, struct reason *why) MUST_USE;

#endif
