/*
 * importer_private - the batch that importer.c keeps, and the two that fill it.
 */
#ifndef SHARED_IMPORTER_PRIVATE_H
#define SHARED_IMPORTER_PRIVATE_H

#include "shared/importer.h"

/* The ids of a column met so far, by their hash: an id that comes twice would lose a row. */
struct import_seen {
	uint64_t *at;
	size_t n, cap;
	bool full; /* so many rows that no more is kept */
};

struct importer {
	const struct importer_config *config;
	const struct format *format;
	const struct format_options *options;
	struct import_result result;
	uint64_t rows, ticked_rows;

	struct draft *drafts;
	uint64_t *lines;
	size_t n, bytes;
	struct arena arena; /* what the drafts point into */

	struct import_seen seen;
	enum err failed; /* of a batch that was written while waiting for input */
	struct reason why;
};

/* Copies the draft into the batch, which is written when it is full.  INVALID: it is over a limit. */
enum err importer_add(struct importer *im, const struct draft *d, uint64_t line, struct reason *why) MUST_USE;
enum err importer_remove(
	struct importer *im, const struct draft *d, uint64_t line, struct reason *why) MUST_USE;
/* Refuses what is no id, one of a column that came before, and gives an id by the row's number to a draft without. */
enum err importer_id(struct importer *im, struct draft *d, bool of_column, char room[RECORD_ID_MAX + 1],
	struct reason *why) MUST_USE;
/* The owner, at the centre. */
enum err importer_owner(const struct importer *im, struct draft *d, struct reason *why) MUST_USE;

enum err importer_read_json(struct importer *im, struct reason *why) MUST_USE; /* importer_json.c */
enum err importer_read_csv(struct importer *im, struct reason *why) MUST_USE;  /* importer_csv.c */

#endif
