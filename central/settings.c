#include "central/settings.h"

#include <assert.h>
#include <search.h>
#include <string.h>

#include "shared/listen.h"
#include "shared/server.h"

void settings_node(const char *pair, char name[RECORD_OWNER_MAX + 1], const char **ret_url)
{
	const char *equals = strchr(pair, '=');
	assert(equals && equals - pair <= RECORD_OWNER_MAX);
	memcpy(name, pair, (size_t)(equals - pair));
	name[equals - pair] = 0;
	*ret_url = equals + 1;
}

/* Of NAME=URL. */
static int by_name(const void *a, const void *b)
{
	size_t a_len = strcspn(a, "="), b_len = strcspn(b, "=");
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static void leave_alone(void *pair)
{
	(void)pair;
}

static enum err check_names(const struct settings *set, struct reason *why)
{
	void *known = NULL;
	enum err e = OK;
	for (size_t i = 0; e == OK && i < set->nodes.n; i++) {
		const char *pair = set->nodes.at[i], **first = tsearch(pair, &known, by_name);
		if (!first)
			err_out_of_memory();
		if (*first != pair)
			e = fail(INVALID, why, "--node %s: %.*s was given before, as %s", pair,
				(int)strcspn(pair, "="), pair, *first);
	}
	tdestroy(known, leave_alone);
	return e;
}

static enum err check_nodes(const struct settings *set, struct reason *why)
{
	for (size_t i = 0; i < set->nodes.n; i++) {
		const char *pair = set->nodes.at[i], *equals = strchr(pair, '=');
		struct reason cause;
		if (!equals)
			return fail(INVALID, why,
				"--node %s: give NAME=URL, such as shop-1=http://127.0.0.1:7101", pair);
		if (!record_owner_ok((struct span){pair, (size_t)(equals - pair)}))
			return fail(INVALID, why,
				"--node %s: a name is a-z 0-9 . _ -, starts with a letter or digit, 63 at "
				"most",
				pair);
		enum err e = node_url_check(&set->allowed, equals + 1, &cause);
		if (e != OK)
			return fail(e, why, "--node %.80s: %s", pair, cause.text);
	}
	return check_names(set, why);
}

static enum err check_tls(const struct settings *set, struct reason *why)
{
	enum err e = tls_files_check(&set->tls, "tls-certificate", "tls-key", why);
	if (e == OK)
		e = tls_files_check(&set->tls_nodes, "tls-client-certificate", "tls-client-key", why);
	return e == OK ? tls_listen_check(set->listen, server_listen_is_loopback(set->listen), &set->tls,
				 set->allowed.plain_http, why)
		       : e;
}

static enum err check(struct settings *set, const struct option_list *wanted, struct reason *why)
{
	struct sockaddr_storage address;
	struct reason cause;
	bool loopback = server_listen_is_loopback(set->listen);
	enum err e = OK;
	if (listen_parse(set->listen, &address, &cause) != OK)
		return fail(INVALID, why, "--listen %.120s", cause.text);
	if (store_url_kind(set->store) == STORE_UNKNOWN)
		return fail(INVALID, why, "--store: give sqlite:FILE or postgresql://USER@HOST/DATABASE");
	if (!set->secret_file && !loopback)
		return fail(DENIED, why,
			"--listen %s: give --secret-file; without it only a loopback address is allowed",
			set->listen);
	e = check_tls(set, why);
	set->allowed.n = 0;
	if (e == OK && loopback)
		networks_add_loopback(&set->allowed);
	for (size_t i = 0; e == OK && i < wanted->n; i++)
		e = networks_add(&set->allowed, wanted->at[i], why);
	if (e == OK)
		e = receivers_check(&set->notify, why);
	return e == OK ? check_nodes(set, why) : e;
}

/* What the options write into. */
static struct settings s;
static struct option_list networks;
static const char *conflict, *compress;
#define TLS_CLIENT_CA_HELP "people and programs need a certificate signed by one of these, beside their token"
static const struct option table[] = {
	{"store", OPTION_URL, &s.store, SETTINGS_STORE_DEFAULT, 0, 0, NULL, "URL",
		"where everything is kept: sqlite:FILE, made if absent, or "
		"postgresql://USER@HOST/DATABASE"},
	{"listen", OPTION_TEXT, &s.listen, "127.0.0.1:7100", 0, 0, NULL, "HOST:PORT",
		"where to serve HTTP; port 0 takes a free one"},
	{"poll-interval", OPTION_DURATION, &s.poll_interval_ms, "1s", 10, 3600000, NULL, "DURATION",
		"finish an exchange with every node at least this often"},
	{"secret-file", OPTION_TEXT, &s.secret_file, NULL, 0, 0, NULL, "FILE",
		"the operator's token, and on a second line perhaps the one before; the nodes' tokens are "
		"derived from "
		"the first"},
	{"node", OPTION_LIST, &s.nodes, NULL, 0, 0, NULL, "NAME=URL",
		"add a node, or change its URL; nodes already in the store stay"},
	{"conflict", OPTION_CHOICE, &conflict, "owner", 0, 0, "owner centre", NULL,
		"whose version wins when a record was changed at both ends; the other is kept"},
	{"compress", OPTION_CHOICE, &compress, "auto", 0, 0, "auto always never", NULL,
		"what goes to and from nodes is packed where they can (zstd, gzip); auto: all but those on "
		"loopback"},
	{"keep-events", OPTION_INTEGER, &s.keep_events, "100000", 100, 1e9, NULL, "N",
		"keep the newest N events; up to a tenth more may stay"},
	{"keep-audit", OPTION_INTEGER, &s.keep_audit, "100000", 100, 1e9, NULL, "N",
		"the same of what people did: of what only administrators may do, of signing in and out, and "
		"of all else"},
	{"allow-network", OPTION_LIST, &networks, NULL, 0, 0, NULL, "CIDR",
		"nodes may be in this network; loopback is allowed while the centre listens on "
		"loopback only"},
	TLS_SERVER_OPTIONS(&s.tls),
	{"tls-ca", OPTION_TEXT, &s.tls_nodes.ca, NULL, 0, 0, NULL, "FILE",
		"of nodes only certificates signed by one of these are believed; without it, by one of the "
		"system's "
		"authorities"},
	{"tls-client-certificate", OPTION_TEXT, &s.tls_nodes.certificate, NULL, 0, 0, NULL, "FILE",
		"what the centre shows nodes that want a client certificate (PEM)"},
	{"tls-client-key", OPTION_TEXT, &s.tls_nodes.key, NULL, 0, 0, NULL, "FILE", "its key"},
	{"allow-plain-http", OPTION_FLAG, &s.allowed.plain_http, NULL, 0, 0, NULL, NULL,
		"listen, and ask nodes, beyond loopback without TLS, where the network itself is safe: "
		"tokens travel in "
		"the clear"},
	RECEIVER_OPTIONS(&s.notify),
	DAEMON_CHRONYC_OPTION(&s.daemon),
	DAEMON_OPTIONS(&s.daemon),
};

static const struct options o = {
	.program = "tidemark-central",
	.usage = "tidemark-central [--store URL] [--node NAME=URL]… [OPTION]…",
	.epilogue = "Asks every node for what is new, gives it what it lacks, proves that both are "
		    "equal.\n"
		    "Example: tidemark-central --store sqlite:centre.db --node "
		    "shop-1=http://127.0.0.1:7101\n"
		    "SIGHUP: reads the settings again.\n"
		    "Exit codes: 0 ok, 1 failed, 2 usage, 6 refused.\n",
	.environment = "TIDEMARK",
	.at = table,
	.n = sizeof table / sizeof *table,
	.credentials = true,
	.reloads = "poll-interval secret-file node conflict compress keep-events keep-audit allow-network "
		   "allow-plain-http "
		   "tls-certificate tls-key tls-client-ca "
		   "tls-ca tls-client-certificate tls-client-key chronyc log-level "
		   "log-format",
};

static enum err judge(struct settings *ret, struct reason *why)
{
	s.policy = strcmp(conflict, "centre") == 0 ? POLICY_CENTRE : POLICY_OWNER;
	s.compress = strcmp(compress, "always") == 0  ? CODING_ALWAYS
		     : strcmp(compress, "never") == 0 ? CODING_NEVER
						      : CODING_AUTO;
	enum err e = check(&s, &networks, why);
	if (e == OK)
		*ret = s;
	return e;
}

enum err settings_read(struct settings *ret, int argc, char **argv, enum options_do *ret_do, struct buf *out,
	struct reason *why)
{
	struct option_list rest;
	enum err e = options_read(&o, argc, argv, ret_do, &rest, why);
	if (e != OK)
		return e;
	if (options_answer(&o, *ret_do, out))
		return OK;
	return judge(ret, why);
}

enum err settings_reread(
	struct settings *ret, int argc, char **argv, struct option_changes *ret_changes, struct reason *why)
{
	enum err e = options_reread(&o, argc, argv, ret_changes, why);
	if (e == OK && (e = judge(ret, why)) != OK)
		option_changes_done(ret_changes);
	return e;
}

void settings_adopt(void)
{
	options_adopt(&o);
}
