#include "local/local.h"

#include "shared/log.h"
#include "shared/stop.h"

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

enum err local_write(struct local *l, writer_job_fn *job, void *ctx, struct reason *why)
{
	enum err e = writer_run(l->writer, job, ctx, why);

	if (e == INTERNAL && !atomic_exchange(&l->broken, true)) {
		log_event(LOG_ERROR, "database.broken", "reason", why->text, NULL);
		stop_request();
	}
	tell_whether_it_writes(l, e, why);
	return e;
}

void local_problem(struct http_reply *r, enum err e, const struct reason *why)
{
	if (e == CONFLICT)
		http_problem(r, "precondition_failed", "%s", why->text);
	else
		http_problem_err(r, e, why);
}
