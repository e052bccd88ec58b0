/*
 * receiver - who is told by notifications: a URL or a command, under a name that keeps no secret.
 */
#ifndef CENTRAL_RECEIVER_H
#define CENTRAL_RECEIVER_H

#include "central/store.h"
#include "shared/options.h"

#define RECEIVERS_MAX 16

/* What the program can be told of them. */
struct receiver_options {
	struct option_list urls, commands;
	const char *secret_file;
	const char *level; /* a word */
	int64_t timeout_ms;
};
#define RECEIVER_OPTIONS(o)                                                                                \
	{"notify-url", OPTION_URLS, &(o)->urls, NULL, 0, 0, NULL, "URL",                                   \
		"POST there what happens to nodes, until it is taken"},                                    \
		{"notify-command", OPTION_LIST, &(o)->commands, NULL, 0, 0, NULL, "FILE",                  \
			"run this program with it, until it exits with 0"},                                \
		{"notify-level", OPTION_CHOICE, &(o)->level, "warn", 0, 0, "error warn info", NULL,        \
			"the least to tell of"},                                                           \
		{"notify-secret-file", OPTION_TEXT, &(o)->secret_file, NULL, 0, 0, NULL, "FILE",           \
			"what is sent to URLs is signed with it"},                                         \
	{                                                                                                  \
		"notify-timeout", OPTION_DURATION, &(o)->timeout_ms, "10s", 100, 300000, NULL, "DURATION", \
			"how long a receiver may take"                                                     \
	}

/* INVALID: no URL (hook_url_check()).  *ret_path, which may be NULL: the URL from its path on, "/" where it has none. */
enum err receiver_of_url(
	struct receiver *ret, const char *url, const char **ret_path, struct reason *why) MUST_USE;
/* INVALID: no absolute path of a file that may be executed. */
enum err receiver_of_command(struct receiver *ret, const char *command, struct reason *why) MUST_USE;
/* Are they these, each once, and not too many?  INVALID. */
enum err receivers_check(const struct receiver_options *o, struct reason *why) MUST_USE;

#endif
