/*
 * carry - `tidemark-local import` and `export`: into and out of the database itself, which no running local may hold
 * meanwhile, or through the HTTP of the one that does.
 */
#ifndef LOCAL_CARRY_H
#define LOCAL_CARRY_H

#include "local/settings.h"

/* Runs the command of the settings; everything has been said.  The program's exit code. */
int carry_run(const struct settings *s);

#endif
