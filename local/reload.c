#include "local/reload.h"

#include <stdlib.h>
#include <string.h>

struct generation *generation_new(struct generation *before)
{
	struct generation *g = calloc(1, sizeof *g);

	if (!g)
		err_out_of_memory();
	g->before = before;
	return g;
}

static void free_one(struct generation *g)
{
	option_secret_done(&g->token);
	option_secret_done(&g->app_token);
	tls_release(g->tls);
	free(g);
}

void generation_free(struct generation *g)
{
	for (struct generation *before; g; g = before) {
		before = g->before;
		free_one(g);
	}
}

enum err generation_read_files(struct generation *g, struct reason *why)
{
	const struct settings *s = &g->settings;
	enum err e = OK;

	if (s->token_file)
		e = option_read_secrets(s->token_file, &g->token, why);
	if (e == OK && s->app_token_file)
		e = option_read_secrets(s->app_token_file, &g->app_token, why);
	if (e == OK && s->tls.certificate)
		e = tls_read(&g->tls, &s->tls, why);
	return e;
}

const char *generation_token(const struct buf *token)
{
	return token->at ? token->at : "";
}

static bool same_token(const struct buf *a, const struct buf *b)
{
	return strcmp(generation_token(a), generation_token(b)) == 0;
}

/* A file that lost a line must not open the local to everybody on the machine. */
static enum err check_token_stays(
	const struct buf *now, const struct buf *before, const char *option, struct reason *why)
{
	if (before->len == 0 || now->len > 0)
		return OK;
	return fail(INVALID, why, "%s: without it nobody is asked for a token; only a restart takes it away",
		option);
}

static void tell(
	const struct option_changes *changes, const struct generation *g, const struct generation *before)
{
	struct reloaded r = {0};

	option_changes_tell(changes, &r);
	if (!same_token(&g->token, &before->token))
		option_content_tell("token-file", "another token", &r);
	if (!same_token(&g->app_token, &before->app_token))
		option_content_tell("app-token-file", "another token", &r);
	if (!tls_same(g->tls, before->tls))
		tls_tell(g->tls, &r);
	reloaded_tell(&r);
}

static void take(struct reload *r, struct generation *g)
{
	const struct settings *s = &g->settings;

	daemon_retune(&s->daemon, &r->now->settings.daemon);
	generator_set(r->local->generator, &s->generator);
	r->router->centre_token = generation_token(&g->token);
	r->router->app_token = generation_token(&g->app_token);
	if (!tls_same(g->tls, r->now->tls))
		server_set_tls(r->server, g->tls);
	r->local->certificate_ends_us = tls_ends_us(g->tls);
	r->now = g;
	settings_adopt();
}

void reload_settings(struct reload *r)
{
	struct generation *g = generation_new(r->now), *before = r->now;
	struct option_changes changes = {0};
	struct reason why;
	enum err e = settings_reread(&g->settings, r->argc, r->argv, &changes, &why);

	if (e == OK)
		e = generation_read_files(g, &why);
	if (e == OK)
		e = check_token_stays(&g->token, &before->token, "token-file", &why);
	if (e == OK)
		e = check_token_stays(&g->app_token, &before->app_token, "app-token-file", &why);
	if (e == OK)
		e = tls_switch_check(before->tls, g->tls, &why);
	if (e == OK) {
		take(r, g);
		tell(&changes, g, before);
	} else {
		reload_failed_tell(&why);
		free_one(g);
	}
	option_changes_done(&changes);
}
