/*
 * settings - what `tidemark-central` can be told, by flags, environment and file: read at the start, and again on
 * SIGHUP (reload.h).  On main's thread; texts and lists live until options_free().
 */
#ifndef CENTRAL_SETTINGS_H
#define CENTRAL_SETTINGS_H

#include "central/address.h"
#include "central/receiver.h"
#include "shared/coding.h"
#include "shared/daemon.h"
#include "shared/tls.h"

#define SETTINGS_STORE_DEFAULT "sqlite:tidemark-central.db"

struct settings {
	const char *store, *listen, *secret_file;
	int64_t poll_interval_ms, keep_events, keep_audit;
	struct option_list nodes;   /* "NAME=URL" each, checked */
	struct networks allowed;    /* where nodes may be */
	struct tls_files tls;       /* of the server; checked, as the next */
	struct tls_files tls_nodes; /* towards nodes */
	enum merge_policy policy;
	enum coding_use compress;
	struct receiver_options notify; /* checked */
	struct daemon_options daemon;
};

/* The parts of one of `nodes`. */
void settings_node(const char *pair, char name[RECORD_OWNER_MAX + 1], const char **ret_url);

/*
 * Reads flags, environment and file.  OPTIONS_RUN: *ret is whole and checked.  Otherwise what was asked for
 * (help and the like) has been appended to `out`.  INVALID: a usage error; DENIED: not safe.
 */
enum err settings_read(struct settings *ret, int argc, char **argv, enum options_do *ret_do, struct buf *out,
	struct reason *why) MUST_USE;

/*
 * The same again, for a program that runs: what needs a restart is in *ret as it was.  *ret_changes: what is another
 * (option_changes_done()).  The next call compares with what settings_adopt() was called after.
 */
enum err settings_reread(struct settings *ret, int argc, char **argv, struct option_changes *ret_changes,
	struct reason *why) MUST_USE;
void settings_adopt(void);

#endif
