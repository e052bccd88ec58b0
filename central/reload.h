/*
 * reload - the settings while the centre runs: read again on SIGHUP, what may change is changed, and every change is told.
 *
 * All or nothing: settings that do not hold together, or a secret that cannot be read, change nothing.  What needs a restart
 * keeps its value and is told as well.  On main's thread; everything else may go on meanwhile.
 */
#ifndef CENTRAL_RELOAD_H
#define CENTRAL_RELOAD_H

#include "central/centre.h"
#include "central/settings.h"
#include "shared/server.h"

/* Settings that held at some time: whoever began under them may still look at them, so they stay until the end. */
struct generation {
	struct settings settings;
	struct buf
		secret; /* of its file, perhaps with the one before it (secrets.h); NUL-terminated, or empty */
	struct tls *tls;       /* of the server; NULL: plain HTTP */
	struct tls *tls_nodes; /* towards nodes */
	struct generation *before;
};
struct generation *generation_new(struct generation *before);
void generation_free(struct generation *g); /* and those before it; NULL is allowed */
/* Reads the secret and the certificates that the settings name.  INVALID: as option_read_secrets(), tls_read(). */
enum err generation_read_files(struct generation *g, struct reason *why) MUST_USE;
const char *generation_secret(const struct generation *g); /* "": none; else as secrets.h has it */

/*
 * --node: adds it, or changes its URL; those that are given in `before` as well are left as they are (NULL: none).  However many
 * they are, those that are new are one transaction.  DENIED: one of them is the centre itself; CONFLICT: its URL is taken, or there
 * are too many; either says which, and nothing is another.
 */
enum err reload_nodes(struct centre *c, const struct settings *set, const struct option_list *before,
	struct reason *why) MUST_USE;

struct reload {
	int argc;
	char **argv;
	struct centre *centre;
	struct router *router;
	struct server *server;
	struct generation *now; /* replaced when settings are taken */
};
/* On SIGHUP.  Everything is told, also why nothing was taken. */
void reload_settings(struct reload *r);

#endif
