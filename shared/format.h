/*
 * format - what a file of records looks like, for import and export: NDJSON, JSON or CSV, and where a record's id,
 * type and owner come from when the file does not say.
 *
 * The options that imported a file export it again, and what was exported with them imports without a change.
 */
#ifndef SHARED_FORMAT_H
#define SHARED_FORMAT_H

#include "shared/options.h"
#include "shared/record.h"

/* As they were given: a program's settings hold one and name it in their table by FORMAT_OPTIONS(&it). */
struct format_options {
	const char *format, *type, *owner;
	const char *id_column, *id_prefix, *each, *columns, *delimiter, *order;
	bool bodies, crlf, deleted, quiet, json;
};
/* Their names. */
#define FORMAT_OPTION_NAMES "format id-column id-prefix each delimiter columns order crlf bodies"
/* The rows of the option table that import and export have in every program; `type`, `owner`, `deleted`,
 * `quiet` and `json` are the program's own, since other commands have them too. */
#define FORMAT_OPTIONS(o)                                                                                    \
	{"format", OPTION_CHOICE, &(o)->format, NULL, 0, 0, "ndjson json csv", NULL,                         \
		"import, export: the file's (default: by its ending, else ndjson)"},                         \
		{"id-column", OPTION_TEXT, &(o)->id_column, NULL, 0, 0, NULL, "C",                           \
			"import, export: the column or member that holds the id, in no row twice"},          \
		{"id-prefix", OPTION_TEXT, &(o)->id_prefix, NULL, 0, 0, NULL, "P",                           \
			"import: rows without an id become P:0000000001, … (default: the file's name); "   \
			"export: only those"},                                                               \
		{"each", OPTION_TEXT, &(o)->each, NULL, 0, 0, NULL, "PATH",                                  \
			"import: the members of the array at PATH (data.items) in one JSON document"},       \
		{"delimiter", OPTION_TEXT, &(o)->delimiter, ",", 0, 0, NULL, "C",                            \
			"import, export: what is between CSV's columns; \"tab\" for a tab"},                 \
		{"columns", OPTION_TEXT, &(o)->columns, NULL, 0, 0, NULL, "A,B,…",                           \
			"export: these members as CSV, of any kind, for reading; @id, @type, @owner, "       \
			"@created_at and @updated_at are the record's own"},                                 \
		{"order", OPTION_CHOICE, &(o)->order, NULL, 0, 0, "id written", NULL,                        \
			"export: by id, or as first written (default: id; written for CSV that has its ids " \
			"in a column)"},                                                                     \
		{"crlf", OPTION_FLAG, &(o)->crlf, NULL, 0, 0, NULL, NULL,                                    \
			"export: end CSV's lines with CRLF"},                                                \
	{                                                                                                    \
		"bodies", OPTION_FLAG, &(o)->bodies, NULL, 0, 0, NULL, NULL,                                 \
			"export: only the bodies as NDJSON or JSON, without what makes them records"         \
	}

enum format_kind { FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV };

#define FORMAT_ROW_DIGITS 10
#define FORMAT_PREFIX_MAX (RECORD_ID_MAX - 1 - FORMAT_ROW_DIGITS)

struct format {
	const struct format_options *options;
	enum format_kind kind;
	char delimiter;
	char prefix[FORMAT_PREFIX_MAX + 1]; /* "" = none */
	bool prefix_given;
};

/* INVALID: options that do not fit each other or the file; the reason says what to do. */
enum err format_of_import(
	struct format *ret, const struct format_options *o, const char *path, struct reason *why) MUST_USE;
enum err format_of_export(
	struct format *ret, const struct format_options *o, const char *path, struct reason *why) MUST_USE;

/* "P:0000000017"; true when it is one of the prefix, whatever the number. */
void format_row_id(const char *prefix, uint64_t row, char ret[RECORD_ID_MAX + 1]);
bool format_is_row_id(struct span id, struct span *ret_prefix, uint64_t *ret_row) MUST_USE;

/*
 * The body of a CSV row: an object of texts.  `keys` are the names as JSON, with their colons; an empty one is left
 * out.  Export compares with it, so that what it writes is what import reads back.
 */
void format_row_body(const struct span *keys, const struct span *cells, size_t n, struct buf *out);

/* CSV's columns that are not members of the body: their names begin with "@". */
enum format_column {
	COLUMN_MEMBER,
	COLUMN_ID,
	COLUMN_TYPE,
	COLUMN_OWNER,
	COLUMN_CREATED,
	COLUMN_UPDATED,
};
/* By its name; of `in` an import only knows the first four. */
enum format_column format_column_of(struct span name);

#endif
