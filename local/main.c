/* tidemark-local: builds the parts in order, runs, takes them down in reverse; or carries records in or out. */
#include <malloc.h>

#include "local/files.h"
#include "local/reload.h"
#include "local/routes.h"
#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/client.h"
#include "shared/clock.h"
#include "shared/exit_code.h"
#include "shared/log.h"
#include "shared/page.h"
#include "shared/privilege.h"
#include "shared/server.h"
#include "shared/stop.h"
#include "shared/supervisor.h"

#define PROBE_MS 1000

static int exit_code(enum err e)
{
	return e == INVALID ? EXIT_USAGE : EXIT_REFUSED;
}

struct site {
	struct reload reload;
	struct local local;
	struct router router;
	struct server *server;
};

static const struct settings *settings(const struct site *s)
{
	return &s->reload.now->settings;
}

static enum err site_open(struct site *s, struct reason *why)
{
	const struct replica_config replica = {.path = settings(s)->db, .node = settings(s)->node};
	struct server_config server = {.listen = settings(s)->listen, .router = &s->router};
	enum err e = generation_read_files(s->reload.now, why);

	s->local.started_us = clock_mono_us();
	if (e == OK)
		e = replica_open(&s->local.replica, &replica, why);
	if (e != OK)
		return e;
	s->local.writer = writer_new(s->local.replica);
	e = generator_start(&s->local.generator, s->local.writer, &settings(s)->generator, why);
	routes_init(&s->router, &s->local);
	s->router.centre_token = generation_token(&s->reload.now->token);
	s->router.app_token = generation_token(&s->reload.now->app_token);
	s->router.hosts = server_listen_is_loopback(settings(s)->listen) ? "" : NULL;
	server.tls = s->reload.now->tls;
	s->local.certificate_ends_us = tls_ends_us(server.tls);
	if (e == OK)
		e = server_open(&s->server, &server, why);
	s->reload.server = s->server;
	return e;
}

/* What it found, or made: another epoch than yesterday says that the database is another. */
static enum err tell_database(struct site *s, struct reason *why)
{
	struct replica_status st;
	enum err e = replica_status(s->local.replica, &st, why);

	if (e == OK)
		log_event(LOG_INFO, "database.opened", "db", settings(s)->db, "epoch", st.epoch.hex,
			"head_seq", LOG_I64((int64_t)st.head.seq), "records",
			LOG_I64((int64_t)st.digest.count), NULL);
	return e;
}

static void site_close(struct site *s)
{
	generator_stop(s->local.generator);
	if (s->local.replica)
		replica_wake(s->local.replica, true);
	server_close(s->server);
	writer_free(s->local.writer);
	replica_close(s->local.replica);
	generation_free(s->reload.now);
}

static void tell_status(struct site *s)
{
	struct replica_status st;
	struct reason why;

	if (!supervisor_listens())
		return;
	if (replica_status(s->local.replica, &st, &why) != OK)
		supervisor_status("the database cannot be read: %s", why.text);
	else
		supervisor_status("%llu records, %llu of them not yet at a centre%s",
			(unsigned long long)st.digest.count, (unsigned long long)st.unacknowledged,
			st.full ? "; no write is possible: " REASON_DISK_FULL : "");
}

/* Only when writes go on and the server answers: else silence, and the supervisor starts it anew. */
static void tell_alive(struct site *s)
{
	if (supervisor_wants_alive() && writer_turns(s->local.writer) &&
		client_probe(server_url(s->server), PROBE_MS))
		supervisor_alive();
}

static void reload(struct site *s)
{
	supervisor_reloading();
	reload_settings(&s->reload);
	supervisor_ready();
}

static void watch(struct site *s)
{
	while (!stop_wait(supervisor_wait_ms(LOCAL_WATCH_MS))) {
		if (stop_take_reload())
			reload(s);
		tell_status(s);
		tell_alive(s);
		local_watch(&s->local);
		(void)malloc_trim(PAGE_BYTES_DEFAULT);
	}
}

static enum err run(struct site *s, struct reason *why)
{
	log_event(LOG_INFO, "listening", "url", server_url(s->server), "node", settings(s)->node, "db",
		settings(s)->db, "version", TIDEMARK_VERSION, NULL);
	enum err e = daemon_start(&settings(s)->daemon, settings(s)->allow_plain_http, why);
	if (e == OK) {
		tell_status(s);
		supervisor_ready();
		watch(s);
	}
	supervisor_stopping();
	log_event(LOG_INFO, "stopping", NULL);
	return e;
}

/* Pages of some MiB come and go by the hundred: what one took stays for the next instead of being given back, zeroed and
 * asked for again, which would cost as much as parsing it.  What a crowd took goes back within a second (watch()); no thread of
 * a connection keeps a heap of its own, where it would stay in pieces. */
static void keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 2 * PAGE_BYTES_DEFAULT);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * PAGE_BYTES_DEFAULT);
	(void)mallopt(M_ARENA_MAX, 2);
}

static int serve(struct site *site)
{
	struct reason why = {""};

	daemon_begin(&settings(site)->daemon, false);
	keep_memory();
	enum err e = site_open(site, &why);
	if (e == OK)
		e = tell_database(site, &why);
	if (e == OK)
		e = run(site, &why);
	chrony_stop();
	site_close(site);
	if (e != OK) {
		log_event(LOG_ERROR, "failed", "reason", why.text, NULL);
		supervisor_status("failed: %s", why.text);
		return exit_code(e == INVALID ? DENIED : e);
	}
	return atomic_load(&site->local.broken) ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	static struct site site;
	struct reason why = {""};
	struct buf out = {0};
	enum options_do todo;
	int code;

	site.reload = (struct reload){argc, argv, &site.local, &site.router, NULL, generation_new(NULL)};
	enum err e = settings_read(&site.reload.now->settings, argc, argv, &todo, &out, &why);

	if (e != OK) {
		daemon_complain("tidemark-local", e, &why);
		return exit_code(e);
	}
	if (todo != OPTIONS_RUN)
		return daemon_print("tidemark-local", &out);
	if (settings(&site)->command == COMMAND_SERVE) {
		code = serve(&site);
	} else {
		privilege_hide();
		code = exit_code_after_output("tidemark-local", files_run(settings(&site)));
	}
	options_free();
	return code;
}
