#include "local/local.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/stop.h"
#include "shared/tls.h"

static void tell_whether_it_writes(struct local *l, enum err e, const struct reason *why)
{
	bool failing = e == RETRY || e == UNCERTAIN;

	if (atomic_exchange(&l->failing, failing) == failing)
		return;
	if (failing)
		log_event(LOG_ERROR, "store.failed", "error", err_name(e), "reason", why->text, NULL);
	else
		log_event(LOG_INFO, "store.works", NULL);
}

static void give_up(struct local *l, const struct reason *why)
{
	if (atomic_exchange(&l->broken, true))
		return;
	log_event(LOG_ERROR, "database.broken", "reason", why->text, NULL);
	stop_request();
}

enum err local_write(struct local *l, writer_job_fn *job, void *ctx, struct reason *why)
{
	enum err e = writer_run(l->writer, job, ctx, why);

	if (e == INTERNAL)
		give_up(l, why);
	tell_whether_it_writes(l, e, why);
	return e;
}

static void watch_log(struct local *l)
{
	unsigned contradictions = replica_contradictions(l->replica);
	struct reason why;

	if (contradictions > 0 && l->contradictions == 0)
		log_event(LOG_WARN, "database.changed", "reason",
			"its log no longer holds what was served from it: another copy was written over it, "
			"or it is "
			"damaged",
			NULL);
	if (contradictions > 1) {
		(void)fail(INTERNAL, &why,
			"its log lost what was served from it, and lost it again after the repair: the "
			"database is "
			"damaged; put back a copy, or delete its files and let the centre refill it");
		give_up(l, &why);
	}
	l->contradictions = contradictions;
}

static void watch_certificate(struct local *l)
{
	struct reason words = {""};
	bool ends = tls_ends_soon(l->certificate_ends_us, clock_wall_us(), "TLS certificate", &words);

	replica_note_certificate(l->replica, words.text);
	if (ends == l->ends)
		return;
	l->ends = ends;
	if (ends)
		log_event(LOG_WARN, "certificate.ends", "reason", words.text, NULL);
	else
		log_event(LOG_INFO, "certificate.renewed", NULL);
}

void local_watch(struct local *l)
{
	struct reason why;
	bool low;

	if (replica_is_lost(l->replica)) {
		(void)replica_refuse(&why);
		give_up(l, &why);
	}
	watch_log(l);
	watch_certificate(l);
	int64_t free_bytes = replica_room(l->replica, &low);
	if (low == l->low)
		return;
	l->low = low;
	log_event(low ? LOG_WARN : LOG_INFO, low ? "disk.low" : "disk.works", "free_bytes",
		LOG_I64(free_bytes), NULL);
}

void local_tell_damage(struct local *l, const char *fmt, ...)
{
	char text[sizeof((struct reason *)NULL)->text];
	va_list args;

	if (atomic_exchange(&l->damaged, true))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	replica_note_damage(l->replica, text);
	log_event(LOG_ERROR, "database.damaged", "reason", text, NULL);
}

void local_problem(struct local *l, struct http_reply *r, enum err e, const struct reason *why)
{
	if (e == INTERNAL)
		local_tell_damage(l, "%s", why->text);
	if (e == CONFLICT)
		http_problem(r, "precondition_failed", "%s", why->text);
	else
		http_problem_err(r, e, why);
}
