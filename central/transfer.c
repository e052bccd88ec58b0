#include "central/transfer_private.h"

#include "shared/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct transfer {
	_Atomic(const struct networks *) allowed;
	_Atomic(const struct tls *) tls;
	struct resolver *resolver;
	struct transfer_loop loop;
	pthread_t thread;
	pthread_mutex_t lock;
	/* under the lock: */
	struct transfer_call *incoming;
	bool stop;
	/* any thread: */
	atomic_bool cancels; /* some call's `cancel` was set */
	atomic_bool news;    /* a name was looked up */
	atomic_uint_fast64_t turns;
	/* the thread's own: */
	struct transfer_running running;
	struct transfer_call *naming; /* those that wait for their names */
	struct transfer_handles handles;
	int64_t name_due_us; /* the first of these has waited long enough; -1 = there is none */
};

/* --- a call's way; on the thread --- */

static void list_add(struct transfer_call **list, struct transfer_call *call)
{
	call->own.next = *list;
	call->own.at = list;
	if (*list)
		(*list)->own.at = &call->own.next;
	*list = call;
}

static void list_remove(struct transfer_call *call)
{
	*call->own.at = call->own.next;
	if (call->own.next)
		call->own.next->own.at = call->own.at;
}

/* Hands the call back to its owner. */
static void call_end(struct transfer *t, struct transfer_call *call)
{
	list_remove(call);
	if (call->own.running)
		transfer_loop_remove(&t->loop, call);
	transfer_call_close(call);
	transfer_handles_return(&t->handles, call);
	call->done(call);
}

static void call_cancel(struct transfer *t, struct transfer_call *call)
{
	call->cancelled = true;
	transfer_call_fail(call, POLL_NETWORK, "cancelled");
	call_end(t, call);
}

static void call_run(struct transfer *t, struct transfer_call *call, const struct addresses *found)
{
	list_remove(call);
	list_add(&t->running.first, call);
	call->own.running = true;
	call->own.among = &t->running;
	transfer_handles_lend(&t->handles, call);
	transfer_call_prepare(call, found);
	transfer_loop_add(&t->loop, call);
}

/* Runs it if its addresses are known by now. */
static void call_name(struct transfer *t, struct transfer_call *call)
{
	struct addresses found = {""};
	struct reason why = {""};
	enum resolver_result r =
		call->own.name ? resolver_ask(t->resolver, call->own.name, &found, &why) : RESOLVER_KNOWN;
	switch (r) {
	case RESOLVER_KNOWN:
		call_run(t, call, &found);
		return;
	case RESOLVER_UNKNOWN:
		transfer_call_fail(call, POLL_RESOLVE, "%s", why.text);
		call_end(t, call);
		return;
	case RESOLVER_WAIT:
		break;
	}
	int64_t until_us = call->own.start_us + TRANSFER_NAME_MS * 1000;
	if (clock_mono_us() < until_us) {
		if (t->name_due_us < 0 || until_us < t->name_due_us)
			t->name_due_us = until_us;
		return;
	}
	transfer_call_fail(call, POLL_RESOLVE, "no name server answered about its host name %.100s in time",
		call->own.name);
	call_end(t, call);
}

static void call_finished(struct transfer *t, struct transfer_call *call, CURLcode code)
{
	transfer_call_judge(call, code);
	if (call->own.name && code != CURLE_OK)
		resolver_doubt(t->resolver, call->own.name); /* it may have moved */
	call_end(t, call);
}

/* --- the thread --- */

static void start_incoming(struct transfer *t, struct transfer_call *in)
{
	struct transfer_call *ordered = NULL, *next;
	for (; in; in = next) { /* first come, first served */
		next = in->own.next;
		in->own.next = ordered;
		ordered = in;
	}
	for (; ordered; ordered = next) {
		next = ordered->own.next;
		list_add(&t->naming, ordered);
		if (ordered->own.cancel) /* `cancels` was read before it was here */
			call_cancel(t, ordered);
		else
			call_name(t, ordered);
	}
}

static void cancel_wanted(struct transfer *t, bool all)
{
	struct transfer_call *const lists[] = {t->running.first, t->naming};
	struct transfer_call *next;
	for (unsigned i = 0; i < 2; i++)
		for (struct transfer_call *c = lists[i]; c; c = next) {
			next = c->own.next;
			if (all || c->own.cancel)
				call_cancel(t, c);
		}
}

/* Those that libcurl has not ended by itself. */
static void end_broken(struct transfer *t)
{
	struct transfer_call *next;
	t->running.broken = false;
	for (struct transfer_call *c = t->running.first; c; c = next) {
		next = c->own.next;
		if (transfer_call_is_broken(c))
			call_finished(t, c, CURLE_ABORTED_BY_CALLBACK);
	}
}

static void end_late(struct transfer *t, int64_t now_us)
{
	struct transfer_call *next;
	t->running.due_us = -1;
	for (struct transfer_call *c = t->running.first; c; c = next) {
		next = c->own.next;
		if (transfer_call_is_late(c, now_us))
			call_finished(t, c, CURLE_OPERATION_TIMEDOUT);
		else
			transfer_running_mind(&t->running, c);
	}
}

static void name_waiting(struct transfer *t)
{
	struct transfer_call *next;
	t->name_due_us = -1;
	for (struct transfer_call *c = t->naming; c; c = next) {
		next = c->own.next;
		call_name(t, c);
	}
}

static bool is_due(int64_t due_us)
{
	return due_us >= 0 && due_us <= clock_mono_us();
}

static bool take_orders(struct transfer *t, struct transfer_call **ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = t->incoming;
	t->incoming = NULL;
	bool stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	return stop;
}

static void *transfer_run(void *ctx)
{
	struct transfer *t = ctx;
	struct transfer_call *call;
	CURLcode code;
	for (;;) {
		bool stop = take_orders(t, &call);
		atomic_fetch_add(&t->turns, 1);
		start_incoming(t, call);
		if (atomic_exchange(&t->cancels, false) || stop)
			cancel_wanted(t, stop);
		if (stop)
			return NULL;
		if (atomic_exchange(&t->news, false) || is_due(t->name_due_us))
			name_waiting(t);
		bool names = t->name_due_us >= 0 &&
			     !(t->running.due_us >= 0 && t->running.due_us < t->name_due_us);
		transfer_loop_turn(&t->loop, names ? t->name_due_us : t->running.due_us);
		while ((call = transfer_loop_ended(&t->loop, &code)))
			call_finished(t, call, code);
		if (t->running.broken)
			end_broken(t);
		if (is_due(t->running.due_us))
			end_late(t, clock_mono_us());
	}
}

/* --- its callers --- */

static void on_name(void *ctx)
{
	struct transfer *t = ctx;
	t->news = true;
	transfer_loop_wake(&t->loop);
}

enum err transfer_open(struct transfer **ret, const struct networks *allowed, struct reason *why)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail(INTERNAL, why, "libcurl does not start");
	struct transfer *t = calloc(1, sizeof *t);
	if (!t)
		err_out_of_memory();
	t->allowed = allowed;
	t->name_due_us = t->running.due_us = -1;
	enum err e = transfer_loop_open(&t->loop, why);
	if (e != OK) {
		free(t);
		return e;
	}
	t->running.loop = t->handles.loop = &t->loop;
	t->resolver = resolver_new(on_name, t);
	pthread_mutex_init(&t->lock, NULL);
	int r = pthread_create(&t->thread, NULL, transfer_run, t);
	if (r != 0) {
		resolver_free(t->resolver);
		transfer_loop_close(&t->loop);
		pthread_mutex_destroy(&t->lock);
		free(t);
		return fail(RETRY, why, "no thread for transfers: %s", strerror(r));
	}
	*ret = t;
	return OK;
}

void transfer_close(struct transfer *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_mutex_unlock(&t->lock);
	transfer_loop_wake(&t->loop);
	pthread_join(t->thread, NULL);
	assert(!t->incoming && !t->running.first && !t->naming);
	resolver_free(t->resolver);
	transfer_handles_done(&t->handles);
	transfer_loop_close(&t->loop);
	pthread_mutex_destroy(&t->lock);
	free(t);
	curl_global_cleanup();
}

void transfer_set_networks(struct transfer *t, const struct networks *allowed)
{
	t->allowed = allowed;
}

void transfer_set_tls(struct transfer *t, const struct tls *tls)
{
	t->tls = tls;
}

uint64_t transfer_turns(struct transfer *t)
{
	return t->turns;
}

void transfer_wake(struct transfer *t)
{
	transfer_loop_wake(&t->loop);
}

void transfer_start_soon(struct transfer *t, struct transfer_call *call)
{
	char name[ADDRESS_HOST_MAX + 1];
	assert(call->done && call->timeout_ms > 0 && call->max_bytes > 0);
	if (buf_failed(&call->url))
		err_out_of_memory();
	call->own.cancel = call->own.running = call->own.in_the_clear = false;
	call->own.verdict = ADDRESS_ALLOWED;
	call->own.allowed = t->allowed;
	call->own.tls = t->tls;
	call->own.start_us = clock_mono_us();
	call->own.plain = strncmp(call->url.at, "http:", 5) == 0;
	free(call->own.name);
	bool named = node_url_name(call->url.at, name, &call->own.port);
	call->own.name = named ? strdup(name) : NULL;
	if (named && !call->own.name)
		err_out_of_memory();
	call->cancelled = call->too_large = call->packed = false;
	call->wire_bytes = 0;
	call->own.flooded = false;
	call->own.head_bytes = 0;
	call->own.socket = -1;
	call->answer = (struct answer){0};
	call->own.crowded_out = call->own.head_over = false;
	transfer_call_drop(call);
	pthread_mutex_lock(&t->lock);
	call->own.next = t->incoming;
	t->incoming = call;
	pthread_mutex_unlock(&t->lock);
}

void transfer_start(struct transfer *t, struct transfer_call *call)
{
	transfer_start_soon(t, call);
	transfer_loop_wake(&t->loop);
}

void transfer_cancel(struct transfer *t, struct transfer_call *call)
{
	call->own.cancel = true;
	t->cancels = true;
	transfer_loop_wake(&t->loop);
}
