/*
 * files - `tidemark-local import` and `export`: into and out of the database itself, which no running local may hold
 * meanwhile, or through the HTTP of the one that does.
 */
#ifndef LOCAL_FILES_H
#define LOCAL_FILES_H

#include "local/settings.h"

/* Runs the command of the settings; everything has been said.  The program's exit code. */
int files_run(const struct settings *s);

#endif
