/*
 * settings - what `tidemark-local` can be told, by flags, environment and file: read at the start, and again on
 * SIGHUP (reload.h).  On main's thread; texts and lists live until options_free().
 */
#ifndef LOCAL_SETTINGS_H
#define LOCAL_SETTINGS_H

#include "local/generator.h"
#include "shared/daemon.h"
#include "shared/format.h"
#include "shared/tls.h"

enum command { COMMAND_SERVE, COMMAND_IMPORT, COMMAND_EXPORT };

struct settings {
	enum command command;
	const char *path; /* of import and export: the file, or "-" */
	const char *url;  /* of a running local; NULL: the database itself */
	struct format_options format;
	const char *node, *db, *listen;
	const char *token_file, *app_token_file;
	struct tls_files tls; /* checked */
	const char *tls_ca;   /* of import and export: who signed the certificate of the local that runs */
	bool allow_plain_http;
	struct generator_config generator;
	struct daemon_options daemon;
};

/*
 * Reads flags, environment and file.  OPTIONS_RUN: *ret is whole and checked.  Otherwise the caller prints
 * what was asked for: help and the like has been appended to `out`.  INVALID: a usage error; DENIED: not safe.
 */
enum err settings_read(struct settings *ret, int argc, char **argv, enum options_do *ret_do, struct buf *out,
	struct reason *why) MUST_USE;

/*
 * The same again, for a local that serves: what needs a restart is in *ret as it was.  *ret_changes: what is another
 * (option_changes_done()).  The next call compares with what settings_adopt() was called after.
 */
enum err settings_reread(struct settings *ret, int argc, char **argv, struct option_changes *ret_changes,
	struct reason *why) MUST_USE;
void settings_adopt(void);

#endif
