/*
 * pair - a centre and one local in one process, on files in a directory, with the real bytes between them.
 *
 * Everything below the wire is the real program: plan, exchanges and store; router, handlers and replica.  For tests
 * that break what lies beneath: nothing here fails the test by itself, everything says what became of it.
 */
#ifndef TESTS_SUPPORT_PAIR_H
#define TESTS_SUPPORT_PAIR_H

#include "central/exchange.h"
#include "local/routes.h"

struct pair {
	char db[112];
	char url[256]; /* of the centre's store */
	struct store *store;
	struct node_run run;
	struct replica *replica; /* NULL: the local does not run */
	struct writer *writer;
	struct local local;
	struct router router;
	struct reason why; /* of the last failure at either end */
};

/* Files in `dir`; neither end runs yet. */
void pair_init(struct pair *p, const char *dir);
enum err pair_open_local(struct pair *p) MUST_USE;
enum err pair_open_centre(struct pair *p) MUST_USE; /* also adds the local as a node, unless it is one */
void pair_close_local(struct pair *p);
void pair_close_centre(struct pair *p);
/* The stopped local's files are gone. */
void pair_wipe(struct pair *p);

/* A request at the local; the reply's body is the caller's to free.  Returns the status. */
int pair_call(struct pair *p, enum http_method method, const char *target, struct span body, struct buf *ret);
/* One edit at either end; true: acknowledged. */
bool pair_write_local(struct pair *p, const char *id, unsigned value);
bool pair_delete_local(struct pair *p, const char *id);
bool pair_write_centre(struct pair *p, const char *id, unsigned value);

/* One exchange, as the plan wants it now; an answer that is not to be had is a timeout. */
void pair_exchange(struct pair *p);
/* Exchanges until a proof that sums the rows at both ends says equal; false: not within `turns`. */
bool pair_settle(struct pair *p, unsigned turns);
/* Does the centre know all that the local's log holds, and the local all of the centre's? */
bool pair_is_even(struct pair *p);

#endif
