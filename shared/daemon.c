#include "shared/daemon.h"

#include <stdio.h>
#include <string.h>

#include "shared/chrony.h"
#include "shared/exit_code.h"
#include "shared/log.h"
#include "shared/privilege.h"
#include "shared/stop.h"
#include "shared/supervisor.h"

void daemon_complain(const char *program, enum err e, const struct reason *why)
{
	fprintf(stderr, "%s: %s\n", program, why->text);
	if (e == INVALID)
		fprintf(stderr, "Try: %s --help\n", program);
}

int daemon_print(const char *program, struct buf *out)
{
	struct reason why;
	enum err e = options_write(out, &why);
	options_free();
	if (e != OK)
		daemon_complain(program, e, &why);
	return e == OK ? EXIT_OK : EXIT_FAILED;
}

static bool is_json(const struct daemon_options *o)
{
	return strcmp(o->log_format, "json") == 0;
}

void daemon_begin(const struct daemon_options *o, bool children)
{
	const struct privilege keep = {.core_dumps = o->core_dumps, .children = children};
	privilege_drop(&keep);
	stop_init();
	supervisor_init();
	log_init(log_level_parse(o->log_level), is_json(o));
}

enum err daemon_start(const struct daemon_options *o, bool plain_http, struct reason *why)
{
	const struct chrony_config chrony = {o->chronyc, CHRONY_EVERY_MS, CHRONY_TIMEOUT_MS};
	if (plain_http)
		log_event(LOG_WARN, "plain_http", "meaning",
			"tokens and records may travel in the clear beyond this machine: --allow-plain-http",
			NULL);
	privilege_tell();
	return chrony_start(&chrony, why);
}

void daemon_retune(const struct daemon_options *o, const struct daemon_options *before)
{
	log_set(log_level_parse(o->log_level), is_json(o));
	if (strcmp(o->chronyc, before->chronyc) != 0)
		chrony_follow(o->chronyc);
}
