/*
 * porter - the commands `import` and `export` as a person sees them: opens the file, shows progress, says in the end
 * what was done, or what is wrong, where, and what to do.
 */
#ifndef SHARED_PORTER_H
#define SHARED_PORTER_H

#include "shared/exporter.h"
#include "shared/importer.h"

struct porter {
	const char *program; /* for messages */
	const struct format *format;
	const char *path; /* the file; "-" = standard input or output */
};

/*
 * Everything has been said when they return.  INVALID: the file or a record is wrong; RETRY, UNCERTAIN, DENIED,
 * INTERNAL: the sink or source; GONE: no such file.
 */
enum err porter_import(const struct porter *p, const struct import_sink *sink) MUST_USE;
enum err porter_export(const struct porter *p, const struct export_source *source) MUST_USE;

#endif
