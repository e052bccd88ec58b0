/*
 * exporter - records out of a source into a file: NDJSON or a JSON array of them, their bodies alone, or CSV.
 *
 * What it writes as CSV is what an import turns into the same bodies and ids; a record of which that cannot be
 * said is refused, not bent.  With --columns it writes any bodies, for reading.  Pages are read one after the other, so
 * records written meanwhile may or may not be in it.  Memory is bounded, but for 32 bytes a
 * record when they are sorted as first written.  One thread.
 */
#ifndef SHARED_EXPORTER_H
#define SHARED_EXPORTER_H

#include "shared/format.h"
#include "shared/output.h"

struct export_source {
	void *ctx;
	bool owners; /* the centre's: keys are OWNER/ID */
	/* Appends {"records":[…],"next":…}: what the format's options ask for, behind `after` (empty: from the start). */
	enum err (*page)(void *ctx, struct span after, struct buf *out, struct reason *why);
};

struct exporter_config {
	const struct format *format;
	const struct export_source *source;
	struct output *out;
	void (*tick)(void *ctx, uint64_t records, uint64_t bytes);
	void *ctx;
};

struct export_result {
	uint64_t records;
	char advice[200]; /* how to import it again, or after INVALID what else to try; "" = nothing to say */
};

/* INVALID: a record does not go into the format. */
enum err exporter_run(
	const struct exporter_config *c, struct export_result *ret, struct reason *why) MUST_USE;

#endif
