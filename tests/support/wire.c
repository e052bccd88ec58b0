#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/listen.h"

void wire_open(struct wire *w, const char *url)
{
	wire_open_from(w, url, NULL);
}

void wire_open_from(struct wire *w, const char *url, const char *address)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct sockaddr_storage a;
	*w = (struct wire){.fd = -1};
	assert_int_equal(listen_parse(url + strlen("http://"), &a, NULL), OK);
	socklen_t size = a.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	w->fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(w->fd >= 0);
	if (address) {
		assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
		assert_int_equal(bind(w->fd, (struct sockaddr *)&from, sizeof from), 0);
	}
	assert_int_equal(connect(w->fd, (struct sockaddr *)&a, size), 0);
}

void wire_close(struct wire *w)
{
	close(w->fd);
	buf_done(&w->got);
}

void wire_reset(struct wire *w)
{
	struct linger at_once = {.l_onoff = 1};
	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	wire_close(w);
}

bool wire_put(struct wire *w, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(w->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

void wire_say(struct wire *w, const char *fmt, ...)
{
	char text[4096];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	assert_in_range(n, 0, sizeof text - 1);
	assert_true(wire_put(w, text, (size_t)n));
}

bool wire_stirs(struct wire *w, int ms)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	return poll(&p, 1, ms) > 0;
}

/* Reads some more; false at the end of the connection. */
static bool read_more(struct wire *w)
{
	char bytes[16384];
	assert_true(wire_stirs(w, WIRE_PATIENCE_MS));
	ssize_t n = recv(w->fd, bytes, sizeof bytes, 0);
	if (n <= 0)
		return false;
	buf_add(&w->got, bytes, (size_t)n);
	return true;
}

static void take(struct wire *w, size_t len, struct buf *to)
{
	struct buf rest = {0};
	buf_add(to, w->got.at, len);
	buf_add(&rest, w->got.at + len, w->got.len - len);
	buf_done(&w->got);
	w->got = rest;
}

static bool take_head(struct wire *w, struct buf *head)
{
	const char *end;
	while (!(end = w->got.len > 0 ? memmem(w->got.at, w->got.len, "\r\n\r\n", 4) : NULL)) {
		if (!read_more(w))
			return false;
	}
	take(w, (size_t)(end - w->got.at) + 4, head);
	return true;
}

static bool take_bytes(struct wire *w, size_t len, struct buf *to)
{
	while (w->got.len < len) {
		if (!read_more(w))
			return false;
	}
	take(w, len, to);
	return true;
}

static bool take_chunks(struct wire *w, struct buf *to)
{
	for (;;) {
		char *end;
		while (!(end = w->got.len > 0 ? memmem(w->got.at, w->got.len, "\r\n", 2) : NULL)) {
			if (!read_more(w))
				return false;
		}
		struct buf line = {0}, tail = {0};
		take(w, (size_t)(end - w->got.at) + 2, &line);
		size_t n = strtoul(line.at, NULL, 16);
		bool good = take_bytes(w, n, to) && take_bytes(w, 2, &tail);
		buf_done(&line);
		buf_done(&tail);
		if (!good || n == 0)
			return good;
	}
}

void wire_take(struct wire *w, bool head_only, struct wire_answer *ret)
{
	*ret = (struct wire_answer){0};
	if (!take_head(w, &ret->head))
		return;
	int status = 0;
	assert_int_equal(sscanf(ret->head.at, "HTTP/1.%*d %d", &status), 1);
	const char *length = strcasestr(ret->head.at, "\r\nContent-Length:");
	bool whole = true;
	if (!head_only && length)
		whole = take_bytes(w, strtoul(length + strlen("\r\nContent-Length:"), NULL, 10), &ret->body);
	else if (!head_only && wire_has(ret, "Transfer-Encoding: chunked"))
		whole = take_chunks(w, &ret->body);
	if (whole)
		ret->status = status;
}

void wire_answer_done(struct wire_answer *a)
{
	buf_done(&a->head);
	buf_done(&a->body);
}

void wire_expect(struct wire *w, int status, const char *text)
{
	struct wire_answer a;
	wire_take(w, false, &a);
	if (a.status != status || !strstr(a.body.at ? a.body.at : "", text))
		fail_msg("%d %s, not %d %s", a.status, a.body.at, status, text);
	if (status >= 400)
		assert_true(wire_has(&a, "Content-Type: application/problem+json"));
	if (status == 503)
		assert_true(wire_has(&a, "Retry-After: 1"));
	wire_answer_done(&a);
}

bool wire_has(const struct wire_answer *a, const char *line)
{
	size_t len = strlen(line);
	for (const char *at = a->head.at; at && (at = strcasestr(at, line)); at++) {
		bool from = at >= a->head.at + 2 && memcmp(at - 2, "\r\n", 2) == 0;
		if (from && memcmp(at + len, "\r\n", 2) == 0)
			return true;
	}
	return false;
}

bool wire_ended(struct wire *w)
{
	return w->got.len == 0 && !read_more(w);
}
