#include "central/transfer.h"

#include "shared/clock.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 3000
#define CONNECTIONS_KEPT \
	8192 /* below the number of hosts libcurl would close one connection for each it opens */
#define POLL_MS 60000

struct transfer {
	const struct networks *allowed;
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	/* under the lock: */
	struct transfer_call *incoming;
	bool stop, cancels;
	/* the thread's own: */
	struct transfer_call *running;
};

/* --- what libcurl calls --- */

static size_t take_bytes(char *at, size_t size, size_t n, void *ctx)
{
	struct transfer_call *call = ctx;
	size_t len = size * n;
	if (call->reply.len + len > call->max_bytes) {
		call->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	buf_add(&call->reply, at, len);
	return buf_failed(&call->reply) ? CURL_WRITEFUNC_ERROR : len;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer_call *call = ctx;
	(void)purpose;
	if (!networks_allow(call->own.owner->allowed, &a->addr)) {
		call->own.blocked = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- classification: the one place --- */

static void PRINTF(2, 3) say(struct reason *why, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, args);
	va_end(args);
}

static enum poll_result connect_result(const struct transfer_call *call, struct reason *why)
{
	long os_errno = 0;
	curl_easy_getinfo(call->own.easy, CURLINFO_OS_ERRNO, &os_errno);
	if (call->own.blocked) {
		say(why, "its address is in no allowed network (--allow-network)");
		return POLL_NETWORK;
	}
	say(why, "%s", os_errno ? strerror((int)os_errno) : "no connection");
	return os_errno == ECONNREFUSED ? POLL_REFUSED : os_errno == ETIMEDOUT ? POLL_TIMEOUT : POLL_NETWORK;
}

static enum poll_result classify(CURLcode code, const struct transfer_call *call, struct reason *why)
{
	if (code == CURLE_OK)
		return POLL_OK;
	say(why, "%s", curl_easy_strerror(code));
	if (call->too_large) {
		say(why, "the answer is larger than %zu bytes", call->max_bytes);
		return POLL_BAD_BODY;
	}
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		return connect_result(call, why);
	case CURLE_OPERATION_TIMEDOUT:
		say(why, "no answer in time");
		return POLL_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		say(why, "no name server knows its host name");
		return POLL_RESOLVE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return POLL_TLS;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: something answers, but not in HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return POLL_NOT_TIDEMARK;
	default: /* libcurl's codes, not ours: reset, cut short, out of descriptors … */
		return POLL_NETWORK;
	}
}

/* --- one call --- */

static void add_header(struct transfer_call *call, const char *name, const char *value)
{
	struct buf line = {0};
	buf_printf(&line, "%s%s", name, value);
	struct curl_slist *longer = buf_failed(&line) ? NULL : curl_slist_append(call->own.headers, line.at);
	assert(longer);
	call->own.headers = longer;
	explicit_bzero(line.at, line.len);
	buf_done(&line);
}

static void set_limits(CURL *easy, struct transfer_call *call)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

static void call_prepare(struct transfer_call *call)
{
	CURL *easy = call->own.easy;
	curl_easy_reset(easy);
	set_limits(easy, call);
	curl_easy_setopt(easy, CURLOPT_URL, call->url.at);
	if (call->method == HTTP_POST) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.len ? call->body.at : "");
		add_header(call, "Content-Type: ", call->content_type);
		add_header(call, "Expect:", "");
	}
	if (call->token[0])
		add_header(call, "Authorization: Bearer ", call->token);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, (struct curl_slist *)call->own.headers);
	call->own.start_us = clock_mono_us();
	call->answer.t_sent_us = clock_wall_us();
}

/* Hands the call back to its owner. */
static void call_end(struct transfer_call *call)
{
	call->answer.t_done_us = clock_wall_us();
	call->answer.took_us = clock_mono_us() - call->own.start_us;
	call->answer.body = buf_span(&call->reply);
	curl_slist_free_all(call->own.headers);
	call->own.headers = NULL;
	call->done(call);
}

static void call_begin(struct transfer *t, struct transfer_call *call)
{
	call_prepare(call);
	CURLMcode m = curl_multi_add_handle(t->multi, call->own.easy);
	assert(m == CURLM_OK);
	call->own.next = t->running;
	t->running = call;
}

static void call_leave(struct transfer *t, struct transfer_call *call)
{
	struct transfer_call **at = &t->running;
	while (*at != call) {
		assert(*at);
		at = &(*at)->own.next;
	}
	*at = call->own.next;
	curl_multi_remove_handle(t->multi, call->own.easy);
}

static void call_finished(struct transfer *t, struct transfer_call *call, CURLcode code)
{
	long status = 0;
	curl_off_t connected_us = 0, secured_us = 0;
	call->answer.result = classify(code, call, &call->answer.why);
	curl_easy_getinfo(call->own.easy, CURLINFO_RESPONSE_CODE, &status);
	/* Not PRETRANSFER: that is when the request has gone out, and the bound of the node's offset must
	 * hold. */
	curl_easy_getinfo(call->own.easy, CURLINFO_CONNECT_TIME_T, &connected_us);
	curl_easy_getinfo(call->own.easy, CURLINFO_APPCONNECT_TIME_T, &secured_us);
	call->answer.status = (int)status;
	/* a new connection's time is not the request's */
	call->answer.t_sent_us += secured_us > connected_us ? secured_us : connected_us;
	call_leave(t, call);
	call_end(call);
}

static void call_cancel(struct transfer *t, struct transfer_call *call, bool running)
{
	call->cancelled = true;
	call->answer.result = POLL_NETWORK;
	say(&call->answer.why, "cancelled");
	if (running)
		call_leave(t, call);
	call_end(call);
}

/* --- the thread --- */

static void start_incoming(struct transfer *t, struct transfer_call *in, bool stop)
{
	struct transfer_call *ordered = NULL;
	while (in) { /* first come, first served */
		struct transfer_call *next = in->own.next;
		in->own.next = ordered;
		ordered = in;
		in = next;
	}
	while (ordered) {
		struct transfer_call *next = ordered->own.next;
		if (stop)
			call_cancel(t, ordered, false);
		else
			call_begin(t, ordered);
		ordered = next;
	}
}

static bool wants_cancel(struct transfer *t, const struct transfer_call *call)
{
	pthread_mutex_lock(&t->lock);
	bool wanted = call->own.cancel;
	pthread_mutex_unlock(&t->lock);
	return wanted;
}

static void cancel_wanted(struct transfer *t, bool all)
{
	struct transfer_call *next;
	for (struct transfer_call *c = t->running; c; c = next) {
		next = c->own.next;
		if (all || wants_cancel(t, c))
			call_cancel(t, c, true);
	}
}

static void finish_done(struct transfer *t)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(t->multi, &left))) {
		struct transfer_call *call = NULL;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call_finished(t, call, code);
	}
}

static void *transfer_run(void *ctx)
{
	struct transfer *t = ctx;
	bool stop = false;
	while (!stop) {
		pthread_mutex_lock(&t->lock);
		struct transfer_call *in = t->incoming;
		bool cancels = t->cancels;
		t->incoming = NULL;
		t->cancels = false;
		stop = t->stop;
		pthread_mutex_unlock(&t->lock);
		start_incoming(t, in, stop);
		if (cancels || stop)
			cancel_wanted(t, stop);
		int running;
		CURLMcode m = curl_multi_perform(t->multi, &running);
		assert(m == CURLM_OK);
		finish_done(t);
		if (!stop) {
			m = curl_multi_poll(t->multi, NULL, 0, POLL_MS, NULL);
			assert(m == CURLM_OK);
		}
	}
	return NULL;
}

/* --- its callers --- */

enum err transfer_open(struct transfer **ret, const struct networks *allowed, struct reason *why)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail(INTERNAL, why, "libcurl does not start");
	struct transfer *t = calloc(1, sizeof *t);
	assert(t);
	t->allowed = allowed;
	t->multi = curl_multi_init();
	assert(t->multi);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	curl_multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	pthread_mutex_init(&t->lock, NULL);
	int r = pthread_create(&t->thread, NULL, transfer_run, t);
	if (r != 0) {
		curl_multi_cleanup(t->multi);
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
	curl_multi_wakeup(t->multi);
	pthread_join(t->thread, NULL);
	assert(!t->incoming && !t->running);
	curl_multi_cleanup(t->multi);
	pthread_mutex_destroy(&t->lock);
	free(t);
	curl_global_cleanup();
}

void transfer_start(struct transfer *t, struct transfer_call *call)
{
	assert(call->done && call->timeout_ms > 0 && call->max_bytes > 0 && !buf_failed(&call->url));
	if (!call->own.easy)
		call->own.easy = curl_easy_init();
	assert(call->own.easy);
	call->own.cancel = call->own.blocked = false;
	call->own.owner = t;
	call->cancelled = call->too_large = false;
	call->answer = (struct answer){0};
	buf_clear(&call->reply);
	pthread_mutex_lock(&t->lock);
	call->own.next = t->incoming;
	t->incoming = call;
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}

void transfer_cancel(struct transfer *t, struct transfer_call *call)
{
	pthread_mutex_lock(&t->lock);
	call->own.cancel = true;
	t->cancels = true;
	pthread_mutex_unlock(&t->lock);
	curl_multi_wakeup(t->multi);
}

void transfer_call_done(struct transfer_call *call)
{
	if (call->own.easy)
		curl_easy_cleanup(call->own.easy);
	buf_done(&call->url);
	buf_done(&call->reply);
	explicit_bzero(call, sizeof *call);
}
