#include "central/receiver.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "central/address.h"

#define SHOWN_ORIGIN 120

/* A URL's path is often its secret: what is kept and shown is a hash of the whole. */
static void name(struct receiver *ret, char kind, const char *text)
{
	struct hash_state s;
	char hex[33];

	hash_begin(&s);
	hash_bytes(&s, &kind, 1);
	hash_field(&s, span_of(text));
	hash_hex(hash_end(&s), hex);
	memcpy(ret->key, hex, RECEIVER_KEY);
	ret->key[RECEIVER_KEY] = '\0';
}

enum err receiver_of_url(struct receiver *ret, const char *url, const char **ret_path, struct reason *why)
{
	size_t origin;
	enum err e = hook_url_check(url, &origin, why);

	if (e != OK)
		return e;
	if (origin > SHOWN_ORIGIN)
		return fail(INVALID, why, "the URL's host is too long");
	name(ret, 'u', url);
	const char *path = url[origin] ? url + origin : "/";
	(void)snprintf(ret->shown, sizeof ret->shown, "%.*s%s (%.8s)", (int)origin, url, path[1] ? "/…" : "",
		ret->key);
	if (ret_path)
		*ret_path = path;
	return OK;
}

enum err receiver_of_command(struct receiver *ret, const char *command, struct reason *why)
{
	struct stat st;

	if (command[0] != '/')
		return fail(INVALID, why, "not an absolute path");
	if (strlen(command) >= sizeof ret->shown)
		return fail(INVALID, why, "the path is longer than %zu bytes", sizeof ret->shown - 1);
	if (stat(command, &st) != 0 || !S_ISREG(st.st_mode) || access(command, X_OK) != 0)
		return fail(INVALID, why, "no file that this user may execute");
	name(ret, 'c', command);
	(void)snprintf(ret->shown, sizeof ret->shown, "%s", command);
	return OK;
}

static enum err check_once(const struct receiver *rs, size_t n, struct reason *why)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (!strcmp(rs[i].key, rs[n - 1].key))
			return fail(INVALID, why, "given twice");
	return OK;
}

enum err receivers_check(const struct receiver_options *o, struct reason *why)
{
	const struct option_list *urls = &o->urls, *commands = &o->commands;
	struct receiver rs[RECEIVERS_MAX];
	struct reason cause = {""};
	size_t n = 0;

	if (urls->n + commands->n > RECEIVERS_MAX)
		return fail(
			INVALID, why, "--notify-url, --notify-command: %d together at most", RECEIVERS_MAX);
	for (size_t i = 0; i < urls->n; i++) {
		enum err e = receiver_of_url(&rs[n++], urls->at[i], NULL, &cause);
		if (e == OK)
			e = check_once(rs, n, &cause);
		if (e != OK) /* not the URL: it may be a secret */
			return fail(INVALID, why, "--notify-url (number %zu): %s", i + 1, cause.text);
	}
	for (size_t i = 0; i < commands->n; i++) {
		enum err e = receiver_of_command(&rs[n++], commands->at[i], &cause);
		if (e == OK)
			e = check_once(rs, n, &cause);
		if (e != OK)
			return fail(INVALID, why, "--notify-command %.160s: %s", commands->at[i], cause.text);
	}
	return OK;
}
