#include "shared/server_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/listen.h"

/* A thread needs this for its handler; libmicrohttpd alone makes do with a few KiB. */
#define STACK_BYTES (256 * 1024)
#define HEAD_BYTES (32 * 1024)
/*
 * A refused body up to here is read and dropped, so that the connection lives and the answer
 * surely arrives.
 */
#define DRAIN_BYTES (64 * 1024)
#define IDLE_US 60000000 /* between two requests */
#define DRAIN_US 2000000

#define CONNECTIONS 256
/* More than the reaper lets in: libmicrohttpd turns nobody away. */
#define BACKSTOP 3
#define WAITS 64
#define LARGE 3 /* fewer than either program has connections to read its database with */
#define MEMORY_BYTES (48 * 1024 * 1024)

static void exchange_free(struct exchange *x)
{
	http_reply_done(&x->r);
	buf_done(&x->body);
	arena_done(&x->q.arena);
	free(x->target);
	free(x);
}

static struct connection *connection_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Connections. */

static void on_connection(
	void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = cls;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		struct connection *conn = server_begin(
			s, MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
		assert(conn);
		server_tls_attend(s, conn, c);
		*context = conn;
	} else if (*context) {
		struct connection *conn = *context;
		reaper_drop(s->reaper, &conn->entry);
		server_tls_part(conn);
		free(conn);
		*context = NULL;
	}
}

/* The request line has come; what this returns is the access handler's first *con_cls. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct server *s = cls;
	struct exchange *x = calloc(1, sizeof *x);
	char *target = strdup(uri);
	if (!x || !target) {
		free(target);
		free(x);
		return NULL;
	}
	*x = (struct exchange){.server = s, .entry = &connection_of(c)->entry, .raw = uri, .target = target};
	reaper_reading(s->reaper, x->entry);
	return x;
}

static void on_completed(
	void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode code)
{
	struct server *s = cls;
	struct exchange *x = *con_cls;
	(void)c;
	(void)code;
	if (!x)
		return;
	reaper_end(s->reaper, x->entry, clock_mono_us() + IDLE_US);
	exchange_free(x);
	*con_cls = NULL;
}

/* Targets are decoded by the router alone, from the copy; so nothing is done twice, or by rules of others. */
static size_t keep_encoded(void *cls, struct MHD_Connection *c, char *text)
{
	(void)cls;
	(void)c;
	return strlen(text);
}

/* What a handler may ask. */

static bool may_wait(void *ctx)
{
	struct exchange *x = ctx;
	return reaper_wait(x->server->reaper, x->entry);
}

static bool is_gone(void *ctx)
{
	struct exchange *x = ctx;
	return reaper_is_gone(x->server->reaper, x->entry);
}

static void put_metrics(void *ctx, struct buf *out)
{
	struct exchange *x = ctx;
	server_metrics(x->server, out);
}

static bool may_be_large(void *ctx)
{
	struct exchange *x = ctx;
	return reaper_large(x->server->reaper, x->entry);
}

static const struct http_rim RIM = {
	.may_wait = may_wait, .is_gone = is_gone, .may_be_large = may_be_large, .put_metrics = put_metrics};

/* Requests. */

struct head {
	struct http_request *q;
	unsigned lengths, hosts, encodings;
	uint64_t length;
};

/* A header that may come once; nothing good asks for two. */
static void take_once(struct head *h, struct span *to, struct span value)
{
	if (to->at)
		h->q->framing_errors |= HTTP_FRAMING_TWICE;
	*to = value;
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *text)
{
	struct head *h = cls;
	struct http_request *q = h->q;
	const struct {
		const char *name;
		struct span *to;
	} once[] = {
		{"Content-Type", &q->content_type},
		{"Content-Encoding", &q->content_encoding},
		{"If-Match", &q->if_match},
		{"If-None-Match", &q->if_none_match},
		{"Authorization", &q->authorization},
		{"Origin", &q->origin},
		{"Last-Event-ID", &q->last_event_id},
		{"Sec-Fetch-Site", &q->fetch_site},
		{"Sec-Fetch-Mode", &q->fetch_mode},
		{"Sec-Fetch-Dest", &q->fetch_dest},
		{"Cookie", &q->cookie},
	};
	struct span value = {text ? text : "", text ? strlen(text) : 0};
	(void)kind;
	for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
		if (strcasecmp(name, once[i].name) == 0)
			take_once(h, once[i].to, value);
	}
	if (strcasecmp(name, "Content-Length") == 0) {
		h->lengths++;
		if (!span_to_u64(value, INT64_MAX, &h->length))
			h->length = INT64_MAX;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		h->encodings++;
	} else if (strcasecmp(name, "Accept") == 0) {
		q->accept = value;
	} else if (strcasecmp(name, "Accept-Encoding") == 0) {
		q->accept_encoding = value;
	} else if (strcasecmp(name, "Prefer") == 0) {
		q->prefer = value;
	} else if (strcasecmp(name, "Host") == 0) {
		h->hosts++;
		q->host = value;
	}
	return MHD_YES;
}

static unsigned framing_of(const struct head *h, const char *version, const struct exchange *x)
{
	unsigned f = h->q->framing_errors;
	enum http_method m = h->q->method;
	bool takes_body = m == HTTP_POST || m == HTTP_PUT || m == HTTP_PATCH;
	if (h->lengths > 1)
		f |= HTTP_FRAMING_TWO_LENGTHS;
	if (h->encodings > 0)
		f |= HTTP_FRAMING_ENCODED;
	if (h->lengths == 0 && takes_body)
		f |= HTTP_FRAMING_NO_LENGTH;
	if (h->hosts > 1)
		f |= HTTP_FRAMING_TWO_HOSTS;
	if ((m == HTTP_GET || m == HTTP_HEAD) && h->length > 0)
		f |= HTTP_FRAMING_BODY_ON_GET;
	/*
	 * libmicrohttpd hands out the target as a C string.  It lies in the same line as the version, a blank
	 * before it; so a NUL inside shows as a target that ends too early.
	 */
	size_t len = strlen(x->target);
	if (x->raw + len + 1 != version)
		f |= HTTP_FRAMING_NUL;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)x->target[i] <= ' ' || x->target[i] == 0x7F)
			f |= HTTP_FRAMING_NUL;
	}
	return f;
}

/* A body that would take more memory than there is for bodies at once. */
static bool refuse_crowd(struct exchange *x, int64_t length)
{
	if (length < 0 || reaper_body(x->server->reaper, x->entry, (uint64_t)length + x->q.unpacks))
		return false;
	http_problem(&x->r, "unavailable", "too many large bodies are being read: send it again in a second");
	x->r.close = true;
	return true;
}

static enum MHD_Result begin(
	struct exchange *x, struct MHD_Connection *c, const char *method, const char *version)
{
	struct head h = {.q = &x->q};
	x->begun = true;
	x->q.received_us = clock_wall_us();
	x->q.method = http_method_parse(method);
	x->q.target = span_of(x->target);
	server_tls_judge(connection_of(c), c, &x->q);
	const struct sockaddr *peer =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	x->q.loopback = listen_is_loopback(peer);
	listen_peer(peer, x->q.peer);
	MHD_get_connection_values(c, MHD_HEADER_KIND, take_header, &h);
	x->q.framing_errors = framing_of(&h, version, x);
	x->q.rim = &RIM;
	x->q.rim_ctx = x;
	int64_t length = h.lengths > 0 ? (int64_t)h.length : -1;
	x->refused = router_refuse_early(x->server->router, &x->q, length, &x->r) || refuse_crowd(x, length);
	if (!x->refused)
		return MHD_YES;
	/*
	 * libmicrohttpd closes a connection that is answered now.  Right when the body will not be read; else
	 * the answer waits for the next call.
	 */
	if (x->r.close || x->r.status == 413 || length > DRAIN_BYTES) {
		x->r.close = true;
		return server_answer(x, c);
	}
	return MHD_YES;
}

static enum MHD_Result finish(struct exchange *x, struct MHD_Connection *c)
{
	if (x->refused)
		return server_answer(x, c);
	x->q.body = x->body.at ? buf_span(&x->body) : (struct span){"", 0};
	if (!reaper_begin(x->server->reaper, x->entry)) {
		http_problem(&x->r, "unavailable", "shutting down");
		x->r.close = true;
	} else if (buf_failed(&x->body)) {
		http_problem(&x->r, "unavailable", "out of memory");
	} else {
		router_dispatch(x->server->router, &x->q, &x->r);
		assert(x->r.status != 0);
	}
	return server_answer(x, c);
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *bytes, size_t *n_bytes, void **con_cls)
{
	struct exchange *x = *con_cls;
	(void)cls;
	(void)url;
	if (!x)
		return MHD_NO; /* no memory when the target came */
	if (!x->begun)
		return begin(x, c, method, version);
	if (*n_bytes == 0)
		return finish(x, c);
	if (!x->refused)
		buf_add(&x->body, bytes, *n_bytes);
	reaper_read(x->server->reaper, x->entry, *n_bytes);
	*n_bytes = 0;
	return MHD_YES;
}

/* The server. */

static struct MHD_Daemon *start(struct server *s, unsigned connections)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
			 MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET;
	struct MHD_OptionItem tls[SERVER_TLS_OPTIONS];
	server_tls_options(s, tls);
	if (s->tls)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT,
		connections * BACKSTOP, MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HEAD_BYTES, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static int64_t timeout_us(int64_t ms, int64_t otherwise_ms)
{
	return (ms > 0 ? ms : otherwise_ms) * 1000;
}

/* One address may take three quarters of the places: behind a proxy everybody has the same. */
static struct reaper_limits limits_of(const struct server_config *c)
{
	unsigned connections = c->max_connections > 0 ? c->max_connections : CONNECTIONS;
	uint64_t memory = c->memory_bytes > 0 ? c->memory_bytes : MEMORY_BYTES;
	return (struct reaper_limits){
		.connections = connections,
		.share = connections - connections / 4,
		.waits = c->max_waits > 0 ? c->max_waits : WAITS,
		.large = LARGE,
		.large_share = LARGE - 1,
		.bytes = memory,
		.bytes_share = memory / 2,
		.request_us = timeout_us(c->request_timeout_ms, 10000),
	};
}

enum err server_open(struct server **ret, const struct server_config *c, struct reason *why)
{
	struct sockaddr_storage address;
	char text[64];
	struct server *s = calloc(1, sizeof *s);
	if (!s)
		return fail(RETRY, why, "out of memory");
	pthread_mutex_init(&s->handing, NULL);
	server_tls_open(s, c->tls);
	s->router = c->router;
	s->listen_fd = s->epoll_fd = s->wake_fd = -1;
	const struct reaper_limits limits = limits_of(c);
	s->reply_timeout_us = timeout_us(c->reply_timeout_ms, 60000);
	enum err e = listen_open(c->listen, &s->listen_fd, &address, why);
	if (e == OK)
		e = reaper_open(&s->reaper, &limits, why);
	if (e == OK) {
		listen_format(&address, text);
		snprintf(s->url, sizeof s->url, "%s://%s", s->tls ? "https" : "http", text);
		s->speaks_tls = s->tls;
		s->daemon = start(s, limits.connections);
		if (!s->daemon || !server_accept_start(s))
			e = fail(RETRY, why, "%s: no threads or descriptors left for a server", c->listen);
	}
	if (e != OK) {
		server_close(s);
		return e;
	}
	*ret = s;
	return OK;
}

void server_metrics(struct server *s, struct buf *out)
{
	struct reaper_figures f;
	reaper_figures(s->reaper, &f);
	buf_printf(out,
		"# HELP tidemark_connections Open connections to this program.\n"
		"# TYPE tidemark_connections gauge\n"
		"tidemark_connections %u\n"
		"# HELP tidemark_connection_addresses Addresses that have connections to this program.\n"
		"# TYPE tidemark_connection_addresses gauge\n"
		"tidemark_connection_addresses %u\n"
		"# HELP tidemark_connections_accepted_total Connections that were made to this program.\n"
		"# TYPE tidemark_connections_accepted_total counter\n"
		"tidemark_connections_accepted_total %llu\n"
		"# HELP tidemark_connections_ended_total Connections that this program ended early, by why.\n"
		"# TYPE tidemark_connections_ended_total counter\n",
		f.open, f.addresses, (unsigned long long)f.accepted);
	for (int i = 0; i < REAPER_REASONS; i++)
		buf_printf(out, "tidemark_connections_ended_total{reason=\"%s\"} %llu\n",
			reaper_reason_name((enum reaper_reason)i), (unsigned long long)f.ended[i]);
	buf_text(out, "# HELP tidemark_requests_shed_total What was refused because there is too much of it "
		      "at once.\n"
		      "# TYPE tidemark_requests_shed_total counter\n");
	for (int i = 0; i < REAPER_REFUSALS; i++)
		buf_printf(out, "tidemark_requests_shed_total{what=\"%s\"} %llu\n",
			reaper_refusal_name((enum reaper_refusal)i), (unsigned long long)f.refused[i]);
}

const char *server_url(const struct server *s)
{
	return s->url;
}

void server_close(struct server *s)
{
	if (!s)
		return;
	server_accept_stop(s);
	if (s->listen_fd >= 0)
		close(s->listen_fd); /* who comes now is refused, not left waiting */
	if (s->daemon) {
		reaper_drain(s->reaper, clock_mono_us() + DRAIN_US);
		MHD_stop_daemon(s->daemon);
	}
	server_accept_done(s);
	reaper_close(s->reaper);
	server_tls_close(s);
	free(s);
}

bool server_listen_is_loopback(const char *listen)
{
	struct sockaddr_storage a;
	return listen_parse(listen, &a, NULL) == OK && listen_is_loopback((struct sockaddr *)&a);
}
