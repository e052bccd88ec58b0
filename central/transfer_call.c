#include "central/transfer_private.h"

#include "shared/clock.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * libcurl reads so much at once, and holds so much for each request that is on its way: little for an answer that is asked to be
 * small, which also is what a parked request waits for.
 */
#define BUFFER_SMALL 1024L
#define BUFFER_PAGE 65536L
#define CONNECT_TIMEOUT_MS 3000

/* --- what libcurl calls --- */

static struct transfer_call *call_of(void *handle)
{
	return ((struct transfer_handle *)handle)->call;
}

static size_t take_bytes(char *at, size_t size, size_t n, void *ctx)
{
	struct transfer_call *call = call_of(ctx);
	size_t len = size * n;
	if (call->reply.len + len > call->max_bytes) {
		call->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (call->own.crowded_out)
		return CURL_WRITEFUNC_ERROR;
	buf_add(&call->reply, at, len);
	if (buf_failed(&call->reply) || !transfer_budget_take(call, call->reply.len))
		return CURL_WRITEFUNC_ERROR;
	return len;
}

/* Each whole line of a head.  libcurl itself ends one that grows past 100 KiB, as if memory had run out. */
static size_t take_head(char *at, size_t size, size_t n, void *ctx)
{
	struct transfer_call *call = call_of(ctx);
	if (call->reply.len == 0) /* else it is a trailer's */
		call->own.head_over = size * n == 2 && at[0] == '\r';
	call->own.head_bytes += size * n;
	return call->own.head_bytes > TRANSFER_HEAD_BYTES ? CURL_WRITEFUNC_ERROR : size * n;
}

/* --- how long it may take --- */

/* Up to a 32nd later, at a moment of many: those that are late are looked for among all. */
static int64_t due_us(int64_t ms)
{
	int64_t step_us = 1;
	while (step_us * 64 <= ms * 1000)
		step_us *= 2;
	return (clock_mono_us() + ms * 1000) / step_us * step_us + step_us;
}

static int64_t first_due_us(const struct transfer_call *call)
{
	int64_t connect_us = call->own.connect_due_us;
	return connect_us > 0 && connect_us < call->own.due_us ? connect_us : call->own.due_us;
}

bool transfer_call_is_late(const struct transfer_call *call, int64_t now_us)
{
	return first_due_us(call) <= now_us;
}

void transfer_running_mind(struct transfer_running *r, const struct transfer_call *call)
{
	int64_t due = first_due_us(call);
	if (r->due_us < 0 || due < r->due_us)
		r->due_us = due;
}

/* --- what libcurl asks before it sends --- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer_call *call = call_of(ctx);
	(void)purpose;
	call->own.socket = -1; /* another connection, perhaps under the number of the one before */
	call->own.verdict = networks_judge(call->own.allowed, &a->addr);
	if (call->own.verdict != ADDRESS_ALLOWED)
		return CURL_SOCKET_BAD;
	if (call->own.plain && !networks_allow_plain(call->own.allowed, &a->addr)) {
		call->own.in_the_clear = true;
		return CURL_SOCKET_BAD;
	}
	if (call->own.connect_due_us == 0) {
		call->own.connect_due_us = due_us(CONNECT_TIMEOUT_MS);
		transfer_running_mind(call->own.among, call);
	}
	int s = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (s >= 0)
		transfer_loop_opened(call->own.among->loop, s, call->own.plain);
	return s;
}

static int close_socket(void *ctx, curl_socket_t s)
{
	transfer_loop_closing(ctx, s);
	return close(s);
}

/* All that ever came over it, as the system counts; 0 = not known. */
static uint64_t wire_bytes(int socket)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

void transfer_call_waits(struct transfer_call *call, int socket)
{
	if (call->own.socket == socket)
		return;
	call->own.socket = socket;
	call->own.begun = false;
}

/* A line of a head that has no end yet is libcurl's, which shows none of it. */
static bool take_head_so_far(struct transfer_call *call, uint64_t came)
{
	uint64_t unread = transfer_unread(call->own.socket);
	uint64_t held = came > unread ? came - unread : 0;
	if (!call->own.plain) /* records of TLS are not its text */
		return true;
	if (held > TRANSFER_HEAD_BYTES)
		call->own.head_bytes = TRANSFER_HEAD_BYTES + 1;
	return held <= TRANSFER_HEAD_BYTES && transfer_budget_take(call, held);
}

/* Neither heads nor body tell of the extensions of chunks, nor of what else libcurl passes over. */
void transfer_call_look(struct transfer_call *call)
{
	if (call->own.socket < 0)
		return;
	uint64_t all = wire_bytes(call->own.socket);
	if (!call->own.begun) { /* most answers are whole at once, and never come here */
		uint64_t known = transfer_unread(call->own.socket) + call->own.head_bytes + call->reply.len;
		call->own.wire_begin = all > known ? all - known : 0;
		call->own.begun = true;
	}
	uint64_t came = all > call->own.wire_begin ? all - call->own.wire_begin : 0;
	call->own.flooded = came > 2 * (call->max_bytes + TRANSFER_HEAD_BYTES);
	if (call->own.flooded || (!call->own.head_over && !take_head_so_far(call, came)))
		call->own.among->broken = true;
}

bool transfer_call_is_broken(const struct transfer_call *call)
{
	return call->own.crowded_out || call->own.flooded || call->own.head_bytes > TRANSFER_HEAD_BYTES;
}

/* Of the connection that the request will go over, which may be one from before the networks changed. */
static int may_send(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct transfer_call *call = call_of(ctx);
	(void)from;
	(void)to_port;
	(void)from_port;
	call->own.connect_due_us = 0;
	call->own.verdict = networks_judge_text(call->own.allowed, to);
	call->own.in_the_clear = call->own.plain && !networks_allow_plain_text(call->own.allowed, to);
	if (call->own.verdict == ADDRESS_ALLOWED && !call->own.in_the_clear)
		return CURL_PREREQFUNC_OK;
	return CURL_PREREQFUNC_ABORT;
}

/* --- one call --- */

static void add_header(struct transfer_call *call, const char *name, const char *value)
{
	struct buf line = {0};
	buf_printf(&line, "%s%s", name, value);
	struct curl_slist *longer = buf_failed(&line) ? NULL : curl_slist_append(call->own.headers, line.at);
	if (!longer)
		err_out_of_memory();
	call->own.headers = longer;
	explicit_bzero(line.at, line.len);
	buf_done(&line);
}

static void forget_token(struct transfer_call *call)
{
	if (call->token)
		explicit_bzero(call->token, strlen(call->token));
	free(call->token);
	call->token = NULL;
}

void transfer_call_show(struct transfer_call *call, const char *token)
{
	forget_token(call);
	if (!token[0])
		return;
	call->token = strdup(token);
	if (!call->token)
		err_out_of_memory();
}

/* Certificate and Host stay the name's; libcurl finds the name in its table and asks nobody. */
static void set_addresses(CURL *easy, struct transfer_call *call, const struct addresses *found)
{
	struct buf line = {0};
	buf_printf(&line, "%s:%u:%s", call->own.name, call->own.port, found->text);
	call->own.addresses = buf_failed(&line) ? NULL : curl_slist_append(NULL, line.at);
	if (!call->own.addresses)
		err_out_of_memory();
	buf_done(&line);
	curl_easy_setopt(easy, CURLOPT_RESOLVE, (struct curl_slist *)call->own.addresses);
}

static bool may_be_packed(const struct transfer_call *call, const struct addresses *found)
{
	if (call->packing != CODING_AUTO)
		return call->packing == CODING_ALWAYS;
	return call->own.name ? !addresses_are_loopback(found->text) : !node_url_is_loopback(call->url.at);
}

void transfer_call_set_callbacks(struct transfer_handle *h, struct transfer_loop *l)
{
	CURL *easy = h->easy;
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(
		easy, CURLOPT_CLOSESOCKETDATA, l); /* which may close it when the handle is elsewhere */
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, may_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, h);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, h);
}

static void set_long(struct transfer_handle *h, long *known, CURLoption o, long value)
{
	if (*known != value)
		curl_easy_setopt(h->easy, o, value);
	*known = value;
}

static void set_get(struct transfer_handle *h)
{
	if (h->posts)
		curl_easy_setopt(h->easy, CURLOPT_HTTPGET, 1L);
	h->posts = false;
}

static void set_post(struct transfer_handle *h, struct transfer_call *call)
{
	curl_easy_setopt(h->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, call->body.len ? call->body.at : "");
	add_header(call, "Content-Type: ", call->content_type);
	add_header(call, "Expect:", "");
	if (call->body_coding != CODING_NONE)
		add_header(call, "Content-Encoding: ", coding_name(call->body_coding));
	if (call->minimal)
		add_header(call, "Prefer: ", HTTP_PREFER_MINIMAL);
	h->posts = true;
}

/* libcurl has copies of its own, five of what it takes apart as an URL, as long as a request is parked: so that is its origin alone. */
static void set_url(CURL *easy, struct transfer_call *call)
{
	char *url = call->url.at;
	char *target = url + strlen(call->own.plain ? "http://" : "https://");
	target += strcspn(target, "/");
	curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, *target ? target : "/");
	*target = 0;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	buf_done(&call->url);
}

void transfer_call_prepare(struct transfer_call *call, const struct addresses *found)
{
	struct transfer_handle *h = call->own.handle;
	/* Of a new connection libcurl divides its time among several addresses. */
	set_long(h, &h->connect_ms, CURLOPT_CONNECTTIMEOUT_MS,
		call->own.name && !call->own.carried ? CONNECT_TIMEOUT_MS : 0);
	set_long(h, &h->buffer_bytes, CURLOPT_BUFFERSIZE, call->kept_bytes > 0 ? BUFFER_PAGE : BUFFER_SMALL);
	call->own.packs = may_be_packed(call, found);
	set_url(h->easy, call);
	if (call->own.name)
		set_addresses(h->easy, call, found);
	if (call->method == HTTP_POST)
		set_post(h, call);
	else
		set_get(h);
	if (call->own.packs)
		add_header(call, "Accept-Encoding: ", CODING_ACCEPTED);
	if (call->token)
		add_header(call, "Authorization: Bearer ", call->token);
	forget_token(call);
	if (call->own.headers)
		curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, (struct curl_slist *)call->own.headers);
	call->own.start_us = clock_mono_us();
	call->own.due_us = due_us(call->timeout_ms);
	call->own.connect_due_us = 0;
	call->own.carried = false;
	transfer_running_mind(call->own.among, call);
	call->answer.t_sent_us = clock_wall_us();
}

void transfer_call_judge(struct transfer_call *call, CURLcode code)
{
	long status = 0;
	curl_off_t connected_us = 0, secured_us = 0;
	struct reason why;
	enum poll_result r = transfer_classify(call, code, &why);
	call->own.carried = code == CURLE_OK;
	if (r != POLL_OK)
		transfer_call_refuse(call, r, &why);
	curl_easy_getinfo(call->own.handle->easy, CURLINFO_RESPONSE_CODE, &status);
	/* Not PRETRANSFER: that is when the request has gone out, and the bound of the node's offset must
	 * hold. */
	curl_easy_getinfo(call->own.handle->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
	curl_easy_getinfo(call->own.handle->easy, CURLINFO_APPCONNECT_TIME_T, &secured_us);
	call->answer.status = (int)status;
	transfer_call_unpack(call);
	/* a new connection's time is not the request's */
	call->answer.t_sent_us += secured_us > connected_us ? secured_us : connected_us;
}

void transfer_call_refuse(struct transfer_call *call, enum poll_result r, const struct reason *why)
{
	free(call->own.why);
	call->own.why = strdup(why->text);
	if (!call->own.why)
		err_out_of_memory();
	call->answer.why = call->own.why;
	call->answer.result = r;
}

void transfer_call_fail(struct transfer_call *call, enum poll_result r, const char *fmt, ...)
{
	struct reason why;
	va_list args;
	va_start(args, fmt);
	vsnprintf(why.text, sizeof why.text, fmt, args);
	va_end(args);
	transfer_call_refuse(call, r, &why);
}

/* The handle, which has a next request, forgets it as well. */
static void drop_list(struct transfer_call *call, CURLoption o, void **list)
{
	if (!*list)
		return;
	curl_easy_setopt(call->own.handle->easy, o, NULL);
	curl_slist_free_all(*list);
	*list = NULL;
}

void transfer_call_close(struct transfer_call *call)
{
	call->answer.t_done_us = clock_wall_us();
	call->answer.took_us = clock_mono_us() - call->own.start_us;
	call->answer.body = buf_span(&call->reply);
	forget_token(call); /* if no request was made */
	drop_list(call, CURLOPT_HTTPHEADER, &call->own.headers);
	drop_list(call, CURLOPT_RESOLVE, &call->own.addresses);
}

void transfer_call_done(struct transfer_call *call)
{
	transfer_handle_free(call->own.handle);
	buf_done(&call->url);
	free(call->own.name);
	forget_token(call);
	transfer_call_drop(call);
	explicit_bzero(call, sizeof *call);
}
