/* What people and Prometheus are told of the receivers. */
#include "central/notifier_private.h"

/* As it is now. */
static struct reception look(struct notifier *n, size_t i)
{
	pthread_mutex_lock(&n->lock);
	struct reception r = n->targets[i].now;
	pthread_mutex_unlock(&n->lock);
	return r;
}

static void put_receiver(
	struct notifier *n, const struct target *t, const struct reception *r, struct buf *out)
{
	uint64_t position = 0, waiting = 0;
	struct reason why;
	bool known = store_receiver(n->store, t->receiver.key, &position, &waiting, &why) == OK;

	buf_text(out, "{\"receiver\":");
	buf_json_text(out, span_of(t->receiver.shown));
	buf_printf(out, ",\"kind\":\"%s\",\"ok\":%s", t->url ? "url" : "command",
		!r->tried    ? "null"
		: r->failing ? "false"
			     : "true");
	buf_text(out, ",\"since\":");
	buf_json_time(out, r->tried ? r->since_us : -1);
	buf_text(out, ",\"answer\":");
	if (r->tried)
		buf_json_text(out, span_of(r->answer.text));
	else
		buf_text(out, "null");
	if (known)
		buf_printf(out, ",\"position\":%llu,\"waiting\":%llu", (unsigned long long)position,
			(unsigned long long)waiting);
	else
		buf_text(out, ",\"position\":null,\"waiting\":null");
	buf_printf(out, ",\"attempts\":%llu,\"taken\":%llu,\"failed\":%llu", (unsigned long long)r->attempts,
		(unsigned long long)r->taken, (unsigned long long)r->failed);
	buf_text(out, ",\"next_attempt_at\":");
	buf_json_time(out, r->next_us);
	buf_char(out, '}');
}

void notifier_put_receivers(struct notifier *n, struct buf *out)
{
	buf_text(out, "{\"receivers\":[");
	for (size_t i = 0; i < n->n; i++) {
		struct reception r = look(n, i);
		if (i > 0)
			buf_char(out, ',');
		put_receiver(n, &n->targets[i], &r, out);
	}
	buf_text(out, "],\"next\":null}\n");
}

/* A path may hold any character. */
static void put_label(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_char(out, '\\');
		buf_char(out, *text == '\n' ? ' ' : *text);
	}
}

static void put_sample(
	struct buf *out, const char *name, const struct target *t, const char *more, uint64_t n)
{
	buf_printf(out, "%s{receiver=\"", name);
	put_label(out, t->receiver.shown);
	buf_printf(out, "\"%s} %llu\n", more, (unsigned long long)n);
}

void notifier_put_metrics(struct notifier *n, struct buf *out)
{
	struct reception r;

	buf_text(out, "# HELP tidemark_notify_attempts_total Messages to a receiver of notifications, in "
		      "this run.\n"
		      "# TYPE tidemark_notify_attempts_total counter\n");
	for (size_t i = 0; i < n->n; i++) {
		r = look(n, i);
		put_sample(
			out, "tidemark_notify_attempts_total", &n->targets[i], ",result=\"taken\"", r.taken);
		put_sample(out, "tidemark_notify_attempts_total", &n->targets[i], ",result=\"failed\"",
			r.failed);
	}
	buf_text(out,
		"# HELP tidemark_notify_failing 1 while a receiver of notifications does not take them.\n"
		"# TYPE tidemark_notify_failing gauge\n");
	for (size_t i = 0; i < n->n; i++) {
		r = look(n, i);
		put_sample(out, "tidemark_notify_failing", &n->targets[i], "", r.failing);
	}
}
