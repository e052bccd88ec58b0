/* tidemark-central: builds the parts in order, runs, takes them down in reverse. */
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "central/reload.h"
#include "central/routes.h"
#include "central/stream.h"
#include "shared/backoff.h"
#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/client.h"
#include "shared/clock.h"
#include "shared/exit_code.h"
#include "shared/listen.h"
#include "shared/server.h"
#include "shared/stop.h"
#include "shared/supervisor.h"

#define STORE_WAIT_MS 250
#define STORE_WATCH_MS 1000
#define MEMORY_EVERY_US 10000000
#define MEMORY_FREE_MOST ((size_t)1024 * 1024)
#define STORE_START_MS 60000 /* how long a supervisor is asked to wait on, while the store is waited for */
#define PROBE_MS 1000
/* While some of them decode a page or wait for a commit, the server works on those of the others. */
#define POSTGRES_WORKERS 4

struct program {
	struct reload reload;
	struct centre centre;
	struct router router;
	struct router_gate gate;
	struct buf notify_secret;
	struct server *server;
	bool stopped; /* before it could run */
};

static const struct settings *settings(const struct program *p)
{
	return &p->reload.now->settings;
}

static int exit_code(enum err e)
{
	return e == INVALID ? EXIT_USAGE : e == DENIED || e == CONFLICT ? EXIT_REFUSED : EXIT_FAILED;
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

/* A server that is not there yet is waited for; what is wrong with it is said when it changes. */
static enum err open_store(struct program *p, struct reason *why)
{
	const struct store_config c = {.url = settings(p)->store,
		.policy = settings(p)->policy,
		.events_kept = (uint64_t)settings(p)->keep_events,
		.audit_kept = (uint64_t)settings(p)->keep_audit,
		.notify = settings(p)->notify.urls.n + settings(p)->notify.commands.n > 0,
		.notify_level = log_level_parse(settings(p)->notify.level)};
	struct reason told = {""};
	enum err e;
	for (unsigned failures = 1;; failures++) {
		e = store_open(&p->centre.store, &c, why);
		if (e != RETRY || store_url_kind(c.url) != STORE_POSTGRES)
			break;
		if (strcmp(told.text, why->text) != 0)
			log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why->text, NULL);
		if (failures == 1)
			log_event(LOG_INFO, "waiting", "url", server_url(p->server), "for", "the database",
				NULL);
		router_gate_shut(&p->gate, why);
		told = *why;
		supervisor_status("waiting for the database: %s", why->text);
		supervisor_starting(STORE_START_MS);
		if (stop_wait(backoff_ms(failures, STORE_WAIT_MS))) {
			p->stopped = true;
			return e;
		}
	}
	if (e == OK && told.text[0])
		log_event(LOG_INFO, "store.works", NULL);
	return e;
}

/* A file we refuse, not a wrong command line. */
static enum err refused(enum err e)
{
	return e == INVALID ? DENIED : e;
}

static enum err open_notifier(struct program *p, struct reason *why)
{
	const struct notifier_config c = {.store = p->centre.store,
		.receivers = &settings(p)->notify,
		.secret = buf_span(&p->notify_secret)};
	return notifier_open(&p->centre.notifier, &c, why);
}

static enum err open_data(struct program *p, struct reason *why)
{
	enum err e = open_store(p, why);
	if (e == OK && store_url_kind(settings(p)->store) == STORE_SQLITE)
		backup_tidy(settings(p)->store + strlen("sqlite:"));
	if (e == OK)
		e = access_open(p->centre.access, p->centre.store, why);
	if (e == OK)
		e = reload_nodes(&p->centre, settings(p), NULL, why);
	if (e == OK)
		e = open_notifier(p, why);
	if (e == OK)
		store_rest(p->centre.store); /* what adding thousands of nodes took is room for them */
	return refused(e);
}

static unsigned port_of(const struct sockaddr_storage *at)
{
	return ntohs(at->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)at)->sin6_port
					       : ((const struct sockaddr_in *)at)->sin_port);
}

/* No node is where the centre itself listens, and a session is of this centre alone. */
static enum err know_self(struct program *p, struct reason *why)
{
	struct sockaddr_storage at;
	enum err e = listen_parse(strstr(server_url(p->server), "://") + 3, &at, why);
	if (e != OK)
		return e;
	networks_set_self(&p->reload.now->settings.allowed, (const struct sockaddr *)&at);
	access_use_port(p->centre.access, port_of(&at));
	return OK;
}

/* Before there is a store: who asks then hears what it waits for. */
static enum err open_door(struct program *p, struct reason *why)
{
	struct server_config server = {.listen = settings(p)->listen, .router = &p->router};
	enum err e = generation_read_files(p->reload.now, why);
	if (e == OK && settings(p)->notify.secret_file)
		e = option_read_secret(settings(p)->notify.secret_file, &p->notify_secret, why);
	if (e != OK)
		return refused(e);
	p->centre.secret = generation_secret(p->reload.now);
	central_routes_init(&p->router, &p->centre);
	router_gate_init(&p->gate, "the store is being opened");
	p->router.gate = &p->gate;
	p->centre.access = access_new();
	access_use_secret(p->centre.access, p->centre.secret);
	p->router.identify = access_identify;
	p->router.identify_ctx = p->centre.access;
	p->router.hosts = server_listen_is_loopback(settings(p)->listen) ? "" : NULL;
	server.tls = p->reload.now->tls;
	p->centre.certificate_ends_us = tls_ends_us(server.tls);
	p->centre.client_certificate_ends_us = tls_ends_us(p->reload.now->tls_nodes);
	e = server_open(&p->server, &server, why);
	p->reload.server = p->server;
	return e == OK ? know_self(p, why) : e;
}

static enum err open_program(struct program *p, struct reason *why)
{
	selfcheck_init(&p->centre.self);
	enum err e = open_door(p, why);
	if (e == OK)
		e = open_data(p, why);
	if (e != OK)
		return e;
	const struct scheduler_config scheduler = {.store = p->centre.store,
		.workers = store_url_kind(settings(p)->store) == STORE_POSTGRES ? POSTGRES_WORKERS : 0,
		.allowed = &settings(p)->allowed,
		.tls = p->reload.now->tls_nodes,
		.secret = generation_secret(p->reload.now),
		.compress = settings(p)->compress,
		.interval_ms = settings(p)->poll_interval_ms};
	p->centre.store_url = settings(p)->store;
	p->centre.allowed = &settings(p)->allowed;
	p->centre.interval_ms = settings(p)->poll_interval_ms;
	p->centre.started_us = clock_mono_us();
	e = scheduler_open(&p->centre.scheduler, &scheduler, why);
	const struct stream_config stream = {.centre = &p->centre};
	if (e == OK)
		e = stream_open(&p->centre.stream, &stream, why);
	if (e == OK)
		router_gate_open(&p->gate);
	return e;
}

static void close_program(struct program *p)
{
	atomic_store(&p->centre.backup.stopping, true);
	chrony_stop();
	stream_stop(p->centre.stream);
	server_close(p->server);
	scheduler_close(p->centre.scheduler);
	stream_close(p->centre.stream);
	notifier_close(p->centre.notifier);
	store_close(p->centre.store);
	access_free(p->centre.access);
	selfcheck_done(&p->centre.self);
	generation_free(p->reload.now);
	option_secret_done(&p->notify_secret);
}

static void tell_status(struct program *p)
{
	unsigned n[NODE_STATES];
	unsigned total = 0;
	struct buf text = {0};
	if (!supervisor_listens())
		return;
	scheduler_states(p->centre.scheduler, n);
	for (unsigned i = 0; i < NODE_STATES; i++)
		total += n[i];
	buf_printf(&text, "%u node%s", total, total == 1 ? "" : "s");
	for (unsigned i = 0, told = 0; i < NODE_STATES; i++)
		if (n[i] > 0)
			buf_printf(&text, "%s%u %s", told++ ? ", " : ": ", n[i],
				node_state_name((enum node_state)i));
	if (scheduler_totals(p->centre.scheduler).store_failed)
		buf_text(&text, "; the database takes no writes");
	if (!buf_failed(&text))
		supervisor_status("%s", text.at);
	buf_done(&text);
}

/* Only when all that polls has gone round, and the server answers: else silence, and the supervisor starts it anew. */
static void tell_alive(struct program *p)
{
	if (supervisor_wants_alive() && scheduler_turns(p->centre.scheduler) &&
		client_probe(server_url(p->server), PROBE_MS))
		supervisor_alive();
}

static void reload(struct program *p)
{
	supervisor_reloading();
	reload_settings(&p->reload);
	supervisor_ready();
}

/*
 * What thousands of nodes took while all were asked for the first time lies free between what stays, where nobody gives it back by
 * itself.  What a pull takes again and again is not worth it.
 */
static void give_back_memory(struct store *st, int64_t *due_us)
{
	int64_t now = clock_mono_us();
	if (now < *due_us)
		return;
	*due_us = now + MEMORY_EVERY_US;
	if (!store_wrote(st))
		store_rest(st);
	if (mallinfo2().fordblks > MEMORY_FREE_MOST)
		(void)malloc_trim(0);
}

/* Until it is to stop; INTERNAL: the store is not what its name names any more, also when nobody writes. */
static enum err watch(struct program *p, struct reason *why)
{
	int64_t memory_due_us = 0;
	while (!stop_wait(supervisor_wait_ms(STORE_WATCH_MS))) {
		give_back_memory(p->centre.store, &memory_due_us);
		if (stop_take_reload())
			reload(p);
		tell_status(p);
		tell_alive(p);
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
	enum err e = daemon_start(&settings(p)->daemon, settings(p)->allowed.plain_http, why);
	if (e == OK)
		e = scheduler_start(p->centre.scheduler, why);
	if (e == OK)
		e = notifier_start(p->centre.notifier, server_url(p->server), why);
	if (e == OK) {
		tell_status(p);
		supervisor_ready();
		e = watch(p, why);
		supervisor_stopping();
		log_event(LOG_INFO, "stopping", NULL);
	}
	return e;
}

/* Pages of some MiB come and go by the hundred: what one took stays for the next instead of being given back, zeroed and
 * asked for again.  The peak stays the same.  No thread keeps a heap of its own: what a crowd once took would stay there, in
 * pieces, and at its end for good, where malloc_trim() does not look. */
static void keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 2 * PAGE_BYTES_DEFAULT);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * PAGE_BYTES_DEFAULT);
	(void)mallopt(M_ARENA_MAX, 1);
}

int main(int argc, char **argv)
{
	static struct program p;
	struct reason why = {""};
	struct buf out = {0};
	enum options_do todo;
	p.reload = (struct reload){argc, argv, &p.centre, &p.router, NULL, generation_new(NULL)};
	enum err e = settings_read(&p.reload.now->settings, argc, argv, &todo, &out, &why);
	if (e != OK) {
		daemon_complain("tidemark-central", e, &why);
		return exit_code(e);
	}
	if (todo != OPTIONS_RUN)
		return daemon_print("tidemark-central", &out);
	/* a command that is told may be one that gains a right to do it */
	daemon_begin(&settings(&p)->daemon, settings(&p)->notify.commands.n > 0);
	raise_descriptors();
	keep_memory();
	e = open_program(&p, &why);
	if (e == OK)
		e = run(&p, &why);
	close_program(&p);
	options_free();
	if (e == OK || p.stopped)
		return EXIT_OK;
	log_event(LOG_ERROR, "failed", "reason", why.text, NULL);
	supervisor_status("failed: %s", why.text);
	return exit_code(e);
}
