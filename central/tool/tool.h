/*
 * tool - what the commands of `tidemark` share: one client, one way to fail, one way to print.
 *
 * A command returns the program's exit code.  Data goes to standard output, everything else to
 * standard error.
 */
#ifndef CENTRAL_TOOL_TOOL_H
#define CENTRAL_TOOL_TOOL_H

#include "shared/client.h"
#include "shared/exit_code.h"
#include "shared/format.h"
#include "shared/json.h"
#include "shared/options.h"
#include "shared/progress.h"

struct tool {
	struct tls_files tls_files;
	bool plain_http;
	struct tls *tls; /* what they hold; NULL: no file is named */
	const char *central, *token_file;
	int64_t timeout_ms; /* 0: not given */
	bool json, quiet;
	/* of single commands */
	bool check, in_sync, follow, watch, deleted, force, audit;
	const char *owner, *type, *after, *title, *url, *node, *level, *role, *who;
	int64_t limit, expires_ms;
	struct format_options format; /* of import and export; what other commands have too stands above */

	struct client *client;
	struct progress *progress; /* on show; taken away before anything else is said.  NULL: none */
	int64_t until_us; /* monotonic: until then a centre that is not ready is asked again.  0: it is not */
	struct buf token;
	struct option_list args; /* after the command's own word */
};

/* The files of TLS that the options name. */
enum err tool_read_tls(struct tool *t, struct reason *why) MUST_USE;
int tool_usage(const char *fmt, ...) PRINTF(1, 2);
/* Which of these names (NULL behind the last) was meant by a word that is none of them; NULL = no idea. */
const char *tool_nearest(const char *word, const char *(*at)(size_t i));

/*
 * For a command that waits: it has so long in all (0: for ever), and until then a call waits, too, for a centre that is
 * still being started or has lost its database (503).  Time that is up is EXIT_TIMEOUT.
 */
void tool_be_patient(struct tool *t, int64_t ms);
bool tool_is_late(const struct tool *t); /* the time of a command that waits is up */
/*
 * One call.  EXIT_OK: `ret` holds a reply of status 2xx (client_reply_done() it).  Otherwise the problem has
 * been printed in the server's words and the code is what to exit with.
 */
int tool_call(struct tool *t, enum http_method m, const char *target, struct span body,
	struct client_reply *ret) MUST_USE;
/* For those that call the client themselves: each says what is wrong, and returns the code to exit with. */
int tool_unreachable(const struct tool *t, enum err e, const struct reason *why);
int tool_complain(
	const struct tool *t, const struct client_reply *reply); /* the problem in the server's words */
/* The same for control messages, parsed; the caller frees the doc. */
int tool_get(struct tool *t, const char *target, struct json_doc **ret) MUST_USE;
/* From here on `p` is how far this command is, for who wants to see it; and not any more.  Returns the seconds between. */
void tool_progress_begin(struct tool *t, struct progress *p);
double tool_progress_end(struct tool *t);
/* Prints the reply as it is: what --json asks for. */
int tool_print_raw(struct tool *t, const char *target);

/* Makes it "/v1/nodes/NAME" and what follows. */
void tool_node_target(struct buf *target, const char *name, const char *rest);

void tool_pause_ms(long ms);

/* A member's text without its quotes, escapes and all, or its raw JSON; empty when absent. */
struct span tool_member(struct span object, const char *name);
/* From a doc, for printing: never fails; absent and null are "-". The text lives as long as the doc. */
const char *tool_text(const struct json_doc *d, const char *path_fmt, ...) PRINTF(2, 3);
uint64_t tool_u64(const struct json_doc *d, const char *path_fmt, ...) PRINTF(2, 3); /* absent = 0 */
/* A number with its unit, "-" where it is null. */
void tool_put_number(
	struct buf *out, const struct json_doc *d, const char *path, int decimals, const char *unit);

/* A table whose columns are as wide as their widest cell; at most 16 columns. */
struct table {
	struct buf text; /* cells, each ended by a NUL */
	size_t columns, cells;
};
void table_cell(struct table *t, const char *fmt, ...) PRINTF(2, 3);
void table_print(struct table *t); /* and empties it; the first row is the head */

#endif
