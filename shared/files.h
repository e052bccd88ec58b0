/*
 * files - the commands `import` and `export` as a person sees them: opens the file, shows progress, says in the end
 * what was done, or what is wrong, where, and what to do.
 */
#ifndef SHARED_FILES_H
#define SHARED_FILES_H

#include "shared/exporter.h"
#include "shared/importer.h"

struct files_job {
	const char *program; /* for messages */
	const struct format *format;
	const char *path; /* the file; "-" = standard input or output */
};

/*
 * Everything has been said when they return.  INVALID: the file or a record is wrong; RETRY, UNCERTAIN, DENIED,
 * INTERNAL: the sink or source; GONE: no such file.
 */
enum err files_import(const struct files_job *p, const struct import_sink *sink) MUST_USE;
enum err files_export(const struct files_job *p, const struct export_source *source) MUST_USE;

#endif
