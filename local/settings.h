/*
 * settings - what `tidemark-local` can be told, read once into a const struct.
 */
#ifndef LOCAL_SETTINGS_H
#define LOCAL_SETTINGS_H

#include "local/generator.h"
#include "shared/options.h"

struct settings {
	const char *node, *db, *listen;
	const char *token_file, *app_token_file;
	struct generator_config generator;
	const char *chronyc;
	const char *log_level, *log_format;
};

/*
 * Reads flags, environment and file.  OPTIONS_RUN: *ret is whole and checked.  Otherwise the caller prints
 * what was asked for: help and the like has been appended to `out`.
 */
enum err settings_read(struct settings *ret, int argc, char **argv, enum options_do *ret_do, struct buf *out,
	struct reason *why) MUST_USE;

#endif
