/* tidemark-local: builds the parts in order, runs, takes them down in reverse; or carries records in or out. */
#include <stdio.h>
#include <string.h>

#include "local/files.h"
#include "local/routes.h"
#include "local/settings.h"
#include "shared/build.h"
#include "shared/chrony.h"
#include "shared/clock.h"
#include "shared/exit_code.h"
#include "shared/log.h"
#include "shared/server.h"
#include "shared/stop.h"

static int exit_code(enum err e)
{
	return e == INVALID ? EXIT_USAGE : EXIT_REFUSED;
}

/* Before there is a log. */
static int complain(enum err e, const struct reason *why)
{
	fprintf(stderr, "tidemark-local: %s\n", why->text);
	if (e == INVALID)
		fprintf(stderr, "Try: tidemark-local --help\n");
	return exit_code(e);
}

struct site {
	struct settings settings;
	struct local local;
	struct router router;
	struct buf token, app_token;
	struct server *server;
};

static enum err site_open(struct site *s, struct reason *why)
{
	const struct replica_config replica = {.path = s->settings.db, .node = s->settings.node};
	const struct server_config server = {.listen = s->settings.listen, .router = &s->router};
	enum err e = OK;

	s->local.started_us = clock_mono_us();
	if (s->settings.token_file)
		e = option_read_secret(s->settings.token_file, &s->token, why);
	if (e == OK && s->settings.app_token_file)
		e = option_read_secret(s->settings.app_token_file, &s->app_token, why);
	if (e == OK)
		e = replica_open(&s->local.replica, &replica, why);
	if (e != OK)
		return e;
	s->local.writer = writer_new(s->local.replica);
	e = generator_start(&s->local.generator, s->local.writer, &s->settings.generator, why);
	routes_init(&s->router, &s->local);
	s->router.centre_token = buf_span(&s->token);
	s->router.app_token = buf_span(&s->app_token);
	s->router.hosts = server_listen_is_loopback(s->settings.listen) ? "" : NULL;
	if (e == OK)
		e = server_open(&s->server, &server, why);
	return e;
}

/* What it found, or made: another epoch than yesterday says that the database is another. */
static enum err tell_database(struct site *s, struct reason *why)
{
	struct replica_status st;
	enum err e = replica_status(s->local.replica, &st, why);

	if (e == OK)
		log_event(LOG_INFO, "database.opened", "db", s->settings.db, "epoch", st.epoch.hex,
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
	buf_done(&s->token);
	buf_done(&s->app_token);
}

static int serve(struct site *site)
{
	struct reason why = {""};

	stop_init();
	log_init(log_level_parse(site->settings.log_level), strcmp(site->settings.log_format, "json") == 0);
	enum err e = site_open(site, &why);
	if (e == OK)
		e = tell_database(site, &why);
	if (e == OK) {
		const struct chrony_config chrony = {
			site->settings.chronyc, CHRONY_EVERY_MS, CHRONY_TIMEOUT_MS};
		log_event(LOG_INFO, "listening", "url", server_url(site->server), "node", site->settings.node,
			"db", site->settings.db, "version", TIDEMARK_VERSION, NULL);
		e = chrony_start(&chrony, &why);
		if (e == OK)
			while (!stop_wait(LOCAL_WATCH_MS))
				local_watch(&site->local);
		log_event(LOG_INFO, "stopping", NULL);
	}
	chrony_stop();
	site_close(site);
	if (e != OK) {
		log_event(LOG_ERROR, "failed", "reason", why.text, NULL);
		return exit_code(e == INVALID ? DENIED : e);
	}
	return atomic_load(&site->local.broken) ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	struct site site = {0};
	struct reason why = {""};
	struct buf out = {0};
	enum options_do todo;
	enum err e = settings_read(&site.settings, argc, argv, &todo, &out, &why);
	int code;

	if (e != OK)
		return complain(e, &why);
	if (todo != OPTIONS_RUN) {
		e = options_write(&out, &why);
		options_free();
		return e == OK ? EXIT_OK : (complain(e, &why), EXIT_FAILED);
	}
	if (site.settings.command == COMMAND_SERVE)
		code = serve(&site);
	else
		code = exit_code_after_output("tidemark-local", files_run(&site.settings));
	options_free();
	return code;
}
