/*
 * reload - the settings while the local runs: read again on SIGHUP, what may change is changed, and every change is told.
 *
 * All or nothing: settings that do not hold together, or a token that cannot be read, change nothing.  What needs a restart
 * keeps its value and is told as well.  On main's thread; everything else may go on meanwhile.
 */
#ifndef LOCAL_RELOAD_H
#define LOCAL_RELOAD_H

#include "local/local.h"
#include "local/settings.h"
#include "shared/server.h"

/* Settings that held at some time: whoever began under them may still look at them, so they stay until the end. */
struct generation {
	struct settings settings;
	struct buf token,
		app_token; /* of their files, one or two each (secrets.h); NUL-terminated, or empty */
	struct tls *tls;   /* NULL: plain HTTP */
	struct generation *before;
};
struct generation *generation_new(struct generation *before);
void generation_free(struct generation *g); /* and those before it; NULL is allowed */
/* Reads the tokens and certificates that the settings name.  INVALID: as option_read_secrets(), tls_read(). */
enum err generation_read_files(struct generation *g, struct reason *why) MUST_USE;
const char *generation_token(const struct buf *token); /* "": none */

struct reload {
	int argc;
	char **argv;
	struct local *local;
	struct router *router;
	struct server *server;
	struct generation *now; /* replaced when settings are taken */
};
/* On SIGHUP.  Everything is told, also why nothing was taken. */
void reload_settings(struct reload *r);

#endif
