#include "shared/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "shared/listen.h"

#define CONNECT_TIMEOUT_MS 5000
#define DEFAULT_TIMEOUT_MS 10000
#define SILENCE_S 3600L

struct client {
	CURL *curl;
	char *base, *token;
	size_t max_body;
	bool cut_body;
	const atomic_bool *stop;
	int64_t timeout_ms;
	bool here; /* it would show its token in the clear, so it talks to this machine alone */
};

static void curl_init(void)
{
	(void)!curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_http(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* What is the same for all calls. */
static bool set_up(CURL *curl)
{
	return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK;
}

static bool set_blob(CURL *curl, CURLoption o, struct span pem)
{
	struct curl_blob blob = {.data = (void *)(uintptr_t)pem.at, .len = pem.len, .flags = CURL_BLOB_COPY};
	return pem.len == 0 || curl_easy_setopt(curl, o, &blob) == CURLE_OK;
}

/* With an own authority the system's are left out; they stand in a directory, too. */
static bool set_tls(CURL *curl, const struct client_config *c)
{
	const struct tls *t = c->tls;
	bool good = curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	if (good && c->any_certificate)
		good = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
	if (!good || !t)
		return good;
	if (tls_ca(t).len > 0)
		good = curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
		       set_blob(curl, CURLOPT_CAINFO_BLOB, tls_ca(t));
	return good && set_blob(curl, CURLOPT_SSLCERT_BLOB, tls_certificate(t)) &&
	       set_blob(curl, CURLOPT_SSLKEY_BLOB, tls_key(t));
}

enum err client_open(struct client **ret, const struct client_config *c, struct reason *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, curl_init);
	if (!is_http(c->base_url))
		return fail(INVALID, why, "%s: a URL begins with http:// or https://", c->base_url);
	struct client *cl = calloc(1, sizeof *cl);
	if (!cl)
		return fail(RETRY, why, "out of memory");
	cl->curl = curl_easy_init();
	cl->base = strdup(c->base_url);
	cl->token = strdup(c->token ? c->token : "");
	cl->max_body = c->max_body;
	cl->cut_body = c->cut_body;
	cl->stop = c->stop;
	cl->timeout_ms = c->timeout_ms > 0 ? c->timeout_ms : DEFAULT_TIMEOUT_MS;
	cl->here = c->token && c->token[0] && !c->plain_http && strncasecmp(c->base_url, "https:", 6) != 0;
	if (!cl->curl || !cl->base || !cl->token || !set_up(cl->curl) || !set_tls(cl->curl, c)) {
		client_close(cl);
		return fail(INTERNAL, why, "libcurl does not take its settings");
	}
	for (size_t n = strlen(cl->base); n > 0 && cl->base[n - 1] == '/'; n--)
		cl->base[n - 1] = '\0'; /* every target begins with one */
	*ret = cl;
	return OK;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	free(c->base);
	free(c->token);
	free(c);
}

void client_reply_done(struct client_reply *r)
{
	buf_done(&r->body);
}

/* One call's state: what its callbacks write into. */
struct call {
	struct client_reply reply;
	size_t max_body;
	bool too_large, in_the_clear;
	const atomic_bool *stop;
	CURL *curl;
	client_sink_fn *sink; /* NULL: into the reply */
	void *sink_ctx;
	enum err sunk; /* what it said last */
	struct reason why;
	char error[CURL_ERROR_SIZE]; /* libcurl's words */
};

/* Of the address itself, as a name may be anybody's. */
static curl_socket_t open_here(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct call *call = arg;
	(void)purpose;
	call->in_the_clear = !listen_is_loopback(&a->addr);
	return call->in_the_clear ? CURL_SOCKET_BAD
				  : socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* For answers that may be large: into the sink, but for those that are a problem. */
static bool sink(struct call *call, struct span bytes)
{
	curl_off_t total = 0;
	if (call->sunk == OK) {
		curl_easy_getinfo(call->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &total);
		call->sunk = call->sink(call->sink_ctx, bytes, total > 0 ? (uint64_t)total : 0, &call->why);
	}
	return call->sunk == OK;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	struct call *call = arg;
	if (call->stop && atomic_load(call->stop))
		return 1;
	return !call->sink || sink(arg, (struct span){"", 0}) ? 0 : 1;
}

static size_t on_body(char *at, size_t size, size_t n, void *arg)
{
	struct call *call = arg;
	(void)size; /* always 1 */
	long status = 0;
	if (call->sink)
		curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return sink(call, (struct span){at, n}) ? n : 0;
	if (n > call->max_body - call->reply.body.len) {
		call->too_large = true;
		buf_add(&call->reply.body, at, call->max_body - call->reply.body.len);
		return 0;
	}
	buf_add(&call->reply.body, at, n);
	return buf_failed(&call->reply.body) ? 0 : n;
}

static size_t on_header(char *at, size_t size, size_t n, void *arg)
{
	struct call *call = arg;
	(void)size;
	static const char name[] = "ETag:";
	if (n > 5 && memcmp(at, "HTTP/", 5) == 0)
		call->reply.etag[0] = '\0'; /* another answer begins, after 100 Continue */
	if (n < sizeof name - 1 || strncasecmp(at, name, sizeof name - 1) != 0)
		return n;
	struct span value = {at + sizeof name - 1, n - (sizeof name - 1)};
	while (value.len > 0 && strchr(" \t", value.at[0]))
		value = (struct span){value.at + 1, value.len - 1};
	while (value.len > 0 && strchr(" \t\r\n", value.at[value.len - 1]))
		value.len--;
	if (value.len < sizeof call->reply.etag) {
		memcpy(call->reply.etag, value.at, value.len);
		call->reply.etag[value.len] = '\0';
	}
	return n;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct buf line = {0};
	buf_printf(&line, "%s: %s", name, value);
	struct curl_slist *longer = buf_failed(&line) ? NULL : curl_slist_append(*list, line.at);
	buf_done(&line);
	if (longer)
		*list = longer;
	return longer != NULL;
}

static bool add_headers(struct curl_slist **list, const struct client *c, const struct client_request *q)
{
	struct buf token = {0};
	buf_printf(&token, "Bearer %s", c->token);
	bool good = !buf_failed(&token);
	for (const char *const *h = q->headers; good && h && h[0]; h += 2)
		good = add_header(list, h[0], h[1]);
	if (good && c->token[0] != '\0')
		good = add_header(list, "Authorization", token.at);
	if (good) /* an empty one keeps libcurl from adding its own */
		good = add_header(list, "Content-Type", q->content_type ? q->content_type : "");
	buf_done(&token);
	return good;
}

/*
 * A POST is not idempotent, and libcurl silently sends a request again when a kept connection turns out to be
 * dead: so a POST never goes over a kept one.
 */
static void set_method(CURL *curl, enum http_method m, struct span body)
{
	bool once = m == HTTP_POST || m == HTTP_PATCH;
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, once ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
	if (m == HTTP_HEAD) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	} else if (m == HTTP_GET || (m == HTTP_DELETE && body.len == 0)) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	} else {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.len > 0 ? body.at : "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	}
	if (m != HTTP_GET && m != HTTP_HEAD && m != HTTP_POST)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, http_method_name(m));
}

static const char *tls_cause_of(CURL *curl, CURLcode code, const char *said, struct reason *ret)
{
	long verdict = 0;
	curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verdict);
	tls_fault(ret, code == CURLE_PEER_FAILED_VERIFICATION, verdict, said);
	return ret->text;
}

/* In `room`, where it is not always the same. */
static const char *cause_of(const struct call *call, CURLcode code, struct reason *room)
{
	CURL *curl = call->curl;
	long error = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "the host's name cannot be resolved";
	case CURLE_COULDNT_CONNECT:
		return error == ECONNREFUSED ? "connection refused"
		       : error               ? strerror((int)error)
					     : "cannot connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "timed out";
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return tls_alerted(call->error) ? tls_cause_of(curl, code, call->error, room)
						: "the connection broke";
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return "what answers there is no HTTP server";
	case CURLE_URL_MALFORMAT:
		return "not a URL";
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
		return tls_cause_of(curl, code, call->error, room);
	case CURLE_ABORTED_BY_CALLBACK:
		return "given up";
	default: /* libcurl's list, not ours */
		return curl_easy_strerror(code);
	}
}

static enum err failed(const struct client *c, const struct call *call, enum http_method m, CURLcode code,
	struct reason *why)
{
	double connected = 0;
	struct reason room;
	bool idempotent = m != HTTP_POST && m != HTTP_PATCH;
	curl_easy_getinfo(c->curl, CURLINFO_CONNECT_TIME, &connected);
	if (call->sunk != OK)
		return fail(call->sunk, why, "%s", call->why.text);
	if (call->in_the_clear)
		return fail(DENIED, why,
			"%s: the token would travel in the clear beyond this machine; ask by https://, or "
			"with "
			"--allow-plain-http if the network between is safe",
			c->base);
	if (call->too_large)
		return fail(INVALID, why, "%s: the answer has more than %zu bytes", c->base, c->max_body);
	if (code == CURLE_URL_MALFORMAT)
		return fail(INVALID, why, "%s: %s", c->base, cause_of(call, code, &room));
	if (idempotent || connected <= 0)
		return fail(RETRY, why, "%s: %s", c->base, cause_of(call, code, &room));
	return fail(UNCERTAIN, why, "%s: %s; it may have been done", c->base, cause_of(call, code, &room));
}

/* How long it may take.  A download's head may be long in coming, and a peer may be gone without a word. */
static void set_patience(const struct client *c, const struct call *call, int64_t timeout_ms)
{
	int64_t connect_ms = CONNECT_TIMEOUT_MS;
	if (timeout_ms > 0 && timeout_ms < connect_ms)
		connect_ms = timeout_ms;
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(c->curl, CURLOPT_TCP_KEEPALIVE, call->sink ? 1L : 0L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, call->sink ? 1L : 0L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, call->sink ? SILENCE_S : 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, call);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, call->sink || call->stop ? 0L : 1L);
}

static CURLcode perform(struct client *c, struct call *call, const char *target, struct curl_slist *headers)
{
	struct buf url = {0};
	buf_printf(&url, "%s%s", c->base, target);
	if (buf_failed(&url))
		return CURLE_OUT_OF_MEMORY;
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(c->curl, CURLOPT_OPENSOCKETFUNCTION, c->here ? open_here : NULL);
	curl_easy_setopt(c->curl, CURLOPT_OPENSOCKETDATA, call);
	CURLcode code = curl_easy_setopt(c->curl, CURLOPT_URL, url.at);
	if (code == CURLE_OK)
		code = curl_easy_perform(c->curl);
	buf_done(&url);
	return code;
}

/* Method, body and patience have been set. */
static enum err run(struct client *c, struct call *call, const struct client_request *q, struct reason *why)
{
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (add_headers(&headers, c, q))
		code = perform(c, call, q->target, headers);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK && !(c->cut_body && call->too_large)) {
		enum err e = failed(c, call, q->method, code, why);
		client_reply_done(&call->reply);
		return e;
	}
	long status = 0;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	call->reply.status = (int)status;
	return OK;
}

enum err client_ask(
	struct client *c, const struct client_request *q, struct client_reply *ret, struct reason *why)
{
	struct call call = {.max_body = c->max_body, .stop = c->stop, .curl = c->curl};
	set_method(c->curl, q->method, q->body);
	set_patience(c, &call, c->timeout_ms);
	enum err e = run(c, &call, q, why);
	if (e == OK)
		*ret = call.reply;
	return e;
}

enum err client_call(struct client *c, enum http_method m, const char *target, struct span body,
	const char *content_type, struct client_reply *ret, struct reason *why)
{
	const struct client_request q = {m, target, body, content_type, NULL};
	return client_ask(c, &q, ret, why);
}

enum err client_download(struct client *c, const char *target, int64_t timeout_ms, client_sink_fn *into,
	void *ctx, struct client_reply *ret, struct reason *why)
{
	const struct client_request q = {.method = HTTP_GET, .target = target};
	struct call call = {
		.max_body = c->max_body, .stop = c->stop, .curl = c->curl, .sink = into, .sink_ctx = ctx};
	set_method(c->curl, HTTP_GET, (struct span){0});
	set_patience(c, &call, timeout_ms);
	enum err e = run(c, &call, &q, why);
	if (e == OK)
		*ret = call.reply;
	return e;
}

bool client_probe(const char *base_url, int64_t timeout_ms)
{
	const struct client_config config = {
		.base_url = base_url, .any_certificate = true, .timeout_ms = timeout_ms, .max_body = 1024};
	struct client *c;
	struct client_reply r = {0};
	struct reason why;
	if (client_open(&c, &config, &why) != OK)
		return false;
	enum err e = client_call(c, HTTP_GET, "/healthz", (struct span){0}, NULL, &r, &why);
	bool well = e == OK && r.status == 200;
	client_reply_done(&r);
	client_close(c);
	return well;
}
