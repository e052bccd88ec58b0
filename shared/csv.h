/*
 * csv - comma-separated values as RFC 4180 has them, strictly.
 *
 * A row ends with CRLF, LF or the text's end.  A cell in quotes may hold delimiters, line ends and doubled
 * quotes; nothing but a delimiter or the row's end may follow its closing quote.  Refused: a
 * quote inside a cell without quotes, a lone CR outside of quotes, NUL, what is not UTF-8.
 * Pure; thread-safe.
 */
#ifndef SHARED_CSV_H
#define SHARED_CSV_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/err.h"

/* One row's cells, without their quotes.  Zeroed = empty; used again and again. */
struct csv_row {
	struct buf text; /* all cells, one behind the other */
	size_t *ends;    /* where in `text` each ends */
	size_t n, cap;
};
void csv_row_done(struct csv_row *row);
struct span csv_cell(const struct csv_row *row, size_t i); /* until the row is read anew */

enum csv_step { CSV_ROW, CSV_MORE, CSV_BAD };
/*
 * Reads the row at the front of `text`, which is not empty.  CSV_ROW: *ret_used bytes were the row with its end.
 * CSV_MORE: the row goes on behind `text` (never when `last`).  CSV_BAD: *ret_used says where it is wrong.
 */
enum csv_step csv_read(struct csv_row *row, struct span text, bool last, char delimiter, size_t *ret_used,
	struct reason *why) MUST_USE;

/* Appends a cell, in quotes only where it has to be. */
void csv_put(struct buf *out, struct span cell, char delimiter);

#endif
