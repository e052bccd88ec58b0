/*
 * secrets - one secret in a text, or two, one a line: two while one is being changed for another, the newer first.
 *
 * option_read_secrets() makes such a text.  Pure.
 */
#ifndef SHARED_SECRETS_H
#define SHARED_SECRETS_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/options.h"

/* The i-th, the newest first; empty: there is none.  NULL and "" hold none. */
struct span secrets_at(const char *text, unsigned i);
/* Is it one of them?  Takes as long for a wrong one as for a right one. */
bool secrets_have(const char *text, struct span given);

#endif
