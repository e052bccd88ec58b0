/* tidemark-central: builds the parts in order, runs, takes them down in reverse. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "central/routes.h"
#include "central/settings.h"
#include "central/stream.h"
#include "shared/backoff.h"
#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/clock.h"
#include "shared/exit_code.h"
#include "shared/server.h"
#include "shared/stop.h"

#define STORE_WAIT_MS 250
#define STORE_WATCH_MS 1000

struct program {
	struct settings settings;
	struct centre centre;
	struct router router;
	struct buf secret;
	struct server *server;
	bool stopped; /* before it could run */
};

static int exit_code(enum err e)
{
	return e == INVALID ? EXIT_USAGE : e == DENIED || e == CONFLICT ? EXIT_REFUSED : EXIT_FAILED;
}

/* Before there is a log. */
static int complain(enum err e, const struct reason *why)
{
	fprintf(stderr, "tidemark-central: %s\n", why->text);
	if (e == INVALID)
		fprintf(stderr, "Try: tidemark-central --help\n");
	return exit_code(e);
}

/* Each node takes a descriptor while its pull is parked. */
static void raise_descriptors(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* --node: adds it, or changes its URL. */
static enum err set_nodes(const struct program *p, struct reason *why)
{
	enum err e = OK;
	for (size_t i = 0; e == OK && i < p->settings.nodes.n; i++) {
		char name[RECORD_OWNER_MAX + 1];
		const char *url;
		struct node n;
		settings_node(p->settings.nodes.at[i], name, &url);
		e = store_node(p->centre.store, name, &n, why);
		if (e == GONE) {
			e = store_node_add(p->centre.store, name, url, "", why);
			if (e == OK)
				log_event(LOG_INFO, "node.added", "node", name, "url", url, NULL);
		} else if (e == OK && strcmp(n.url, url) != 0) {
			e = store_node_edit(p->centre.store, name, url, NULL, why);
			if (e == OK)
				centre_tell(p->centre.store, "node.changed", name, "its URL is now %s", url);
		}
	}
	return e;
}

/* A server that is not there yet is waited for; what is wrong with it is said when it changes. */
static enum err open_store(struct program *p, struct reason *why)
{
	const struct store_config c = {.url = p->settings.store,
		.policy = p->settings.policy,
		.events_kept = (uint64_t)p->settings.keep_events};
	struct reason told = {""};
	enum err e;
	for (unsigned failures = 1;; failures++) {
		e = store_open(&p->centre.store, &c, why);
		if (e != RETRY || store_url_kind(c.url) != STORE_POSTGRES)
			break;
		if (strcmp(told.text, why->text) != 0)
			log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why->text, NULL);
		told = *why;
		if (stop_wait(backoff_ms(failures, STORE_WAIT_MS))) {
			p->stopped = true;
			return e;
		}
	}
	if (e == OK && told.text[0])
		log_event(LOG_INFO, "store.works", NULL);
	return e;
}

static enum err open_data(struct program *p, struct reason *why)
{
	enum err e = OK;
	if (p->settings.secret_file)
		e = option_read_secret(p->settings.secret_file, &p->secret, why);
	if (e == OK)
		e = open_store(p, why);
	if (e == OK && store_url_kind(p->settings.store) == STORE_SQLITE)
		backup_tidy(p->settings.store + strlen("sqlite:"));
	if (e == OK)
		e = set_nodes(p, why);
	return e == INVALID ? DENIED : e; /* a file we refuse, not a wrong command line */
}

static enum err open_program(struct program *p, struct reason *why)
{
	const struct server_config server = {.listen = p->settings.listen, .router = &p->router};
	selfcheck_init(&p->centre.self);
	enum err e = open_data(p, why);
	if (e != OK)
		return e;
	const struct scheduler_config scheduler = {.store = p->centre.store,
		.allowed = &p->settings.allowed,
		.secret = buf_span(&p->secret),
		.interval_ms = p->settings.poll_interval_ms};
	p->centre.store_url = p->settings.store;
	p->centre.allowed = &p->settings.allowed;
	p->centre.secret = buf_span(&p->secret);
	p->centre.interval_ms = p->settings.poll_interval_ms;
	p->centre.started_us = clock_mono_us();
	central_routes_init(&p->router, &p->centre);
	p->router.app_token = buf_span(&p->secret);
	p->router.hosts = server_listen_is_loopback(p->settings.listen) ? "" : NULL;
	e = scheduler_open(&p->centre.scheduler, &scheduler, why);
	const struct stream_config stream = {.centre = &p->centre};
	if (e == OK)
		e = stream_open(&p->centre.stream, &stream, why);
	return e == OK ? server_open(&p->server, &server, why) : e;
}

static void close_program(struct program *p)
{
	atomic_store(&p->centre.backup.stopping, true);
	chrony_stop();
	stream_stop(p->centre.stream);
	server_close(p->server);
	scheduler_close(p->centre.scheduler);
	stream_close(p->centre.stream);
	store_close(p->centre.store);
	selfcheck_done(&p->centre.self);
	buf_done(&p->secret);
}

/* Until it is to stop; INTERNAL: the store is not what its name names any more, also when nobody writes. */
static enum err watch(struct program *p, struct reason *why)
{
	while (!stop_wait(STORE_WATCH_MS)) {
		if (!store_is_lost(p->centre.store, why)) {
			centre_watch(&p->centre);
			continue;
		}
		log_event(LOG_ERROR, "database.broken", "reason", why->text, NULL);
		return INTERNAL;
	}
	return OK;
}

static enum err run(struct program *p, struct reason *why)
{
	log_event(LOG_INFO, "listening", "url", server_url(p->server), "store", store_kind(p->centre.store),
		"version", TIDEMARK_VERSION, NULL);
	const struct chrony_config chrony = {p->settings.chronyc, CHRONY_EVERY_MS, CHRONY_TIMEOUT_MS};
	enum err e = chrony_start(&chrony, why);
	if (e == OK)
		e = scheduler_start(p->centre.scheduler, why);
	if (e == OK) {
		e = watch(p, why);
		log_event(LOG_INFO, "stopping", NULL);
	}
	return e;
}

/* Pages of some MiB come and go by the hundred: what one took stays for the next instead of being given back, zeroed and
 * asked for again.  The peak stays the same. */
static void keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 2 * PAGE_BYTES_DEFAULT);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * PAGE_BYTES_DEFAULT);
}

int main(int argc, char **argv)
{
	static struct program p;
	struct reason why = {""};
	struct buf out = {0};
	enum options_do todo;
	enum err e = settings_read(&p.settings, argc, argv, &todo, &out, &why);
	if (e != OK)
		return complain(e, &why);
	if (todo != OPTIONS_RUN) {
		e = options_write(&out, &why);
		options_free();
		return e == OK ? EXIT_OK : (complain(e, &why), EXIT_FAILED);
	}
	raise_descriptors();
	keep_memory();
	stop_init();
	log_init(log_level_parse(p.settings.log_level), strcmp(p.settings.log_format, "json") == 0);
	e = open_program(&p, &why);
	if (e == OK)
		e = run(&p, &why);
	close_program(&p);
	options_free();
	if (e == OK || p.stopped)
		return EXIT_OK;
	log_event(LOG_ERROR, "failed", "reason", why.text, NULL);
	return exit_code(e);
}
