#include "central/api_notifications.h"

#include "central/centre.h"

void api_notifications_list(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	uint64_t after = 0;
	unsigned limit;
	if (!centre_limit(q, &limit, r) || !centre_number(q, "after", &after, r))
		return;
	if (!http_may_list(q, limit, r))
		return;
	enum err e = store_deliveries(c->store, after, limit, &r->body, &why);
	r->status = 200;
	if (e != OK)
		centre_problem(r, e, &why);
}

void api_notifications_receivers(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	(void)q;
	if (c->notifier)
		notifier_put_receivers(c->notifier, &r->body);
	else
		buf_text(&r->body, "{\"receivers\":[],\"next\":null}\n");
	r->status = 200;
}

void api_notifications_test(void *ctx, struct http_request *q, struct http_reply *r)
{
	struct centre *c = ctx;
	struct reason why;
	const struct author by = centre_author(q);
	uint64_t event = 0;
	if (!c->notifier || notifier_receivers(c->notifier) == 0) {
		http_problem(r, "conflict",
			"there is nobody to tell: start the centre with --notify-url or --notify-command");
		return;
	}
	enum err e = store_notify_test(c->store, &by, &event, &why);
	if (e != OK) {
		centre_problem(r, e, &why);
		return;
	}
	log_event(LOG_INFO, "notify.test", "who", by.who, NULL);
	notifier_hurry(c->notifier);
	buf_printf(&r->body, "{\"event\":%llu,\"receivers\":%zu}\n", (unsigned long long)event,
		notifier_receivers(c->notifier));
	r->status = 202;
}
