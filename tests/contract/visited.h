/* A server that does what the path of a request says, well or badly, and a transfer that visits it. */
#ifndef TESTS_CONTRACT_VISITED_H
#define TESTS_CONTRACT_VISITED_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "central/transfer.h" /* before cmocka.h, which makes fail a macro */
#include "tests/support/gate.h"

#include <cmocka.h>

#define MAX_BYTES 65536
#define MUCH_BYTES 390000

/* --- the server: one thread a connection, what it does is in the path --- */

struct peer {
	int fd, port;
	pthread_t thread;
	pthread_mutex_t lock;
	unsigned connections, requests;
	char last[4096];          /* the last request's head and body */
	struct gate silent, gone; /* requests that are held; connections that ended */
};

struct visitor {
	struct peer *peer;
	int fd;
};

static void put(int fd, const char *text)
{
	size_t len = strlen(text);
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void flood(int fd, const char *before, const char *again)
{
	size_t len = strlen(again);
	put(fd, before);
	while (send(fd, again, len, MSG_NOSIGNAL) > 0)
		;
}

static void put_for_ever(int fd)
{
	char chunk[1024 + 16];
	memset(chunk, 'x', sizeof chunk);
	memcpy(chunk, "400\r\n", 5);
	memcpy(chunk + 5 + 1024, "\r\n", 2);
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (send(fd, chunk, 5 + 1024 + 2, MSG_NOSIGNAL) > 0)
		;
}

static void put_much(int fd)
{
	static const char text[MUCH_BYTES];
	char head[64];
	(void)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", MUCH_BYTES);
	put(fd, head);
	for (size_t sent = 0; sent < sizeof text - 1;) { /* all but the last byte */
		ssize_t n = send(fd, text + sent, sizeof text - 1 - sent, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		sent += (size_t)n;
	}
}

/* False: the connection ends.  `nth`: of its requests. */
static bool act(struct peer *p, int fd, unsigned nth, const char *request)
{
	if (strstr(request, " /only-first") && nth > 1)
		return false;
	if (strstr(request, " /ok") || strstr(request, " /only-first")) {
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
		return true;
	}
	if (strstr(request, " /twice")) { /* both are there before the first is taken */
		char both[16384];
		int n = snprintf(
			both, sizeof both, "HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n%06000d", 0);
		memcpy(both + n, both, (size_t)n);
		both[2 * n] = 0;
		put(fd, both);
		return true;
	}
	if (strstr(request, " /packs")) {
		put(fd, "HTTP/1.1 200 OK\r\nAccept-Encoding: zstd\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	if (strstr(request, " /status")) {
		put(fd, "HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}");
		return true;
	}
	if (strstr(request, " /away")) {
		put(fd, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	if (strstr(request, " /much")) {
		put_much(fd);
		if (strstr(request, " /much-held"))
			gate_pass(&p->silent);
		return send(fd, "x", 1, MSG_NOSIGNAL) == 1;
	}
	if (strstr(request, " /silent"))
		gate_pass(&p->silent);
	else if (strstr(request, " /endless"))
		put_for_ever(fd);
	else if (strstr(request, " /heads"))
		flood(fd, "HTTP/1.1 200 OK\r\n", "X-Again: and again\r\n");
	else if (strstr(request, " /interim"))
		flood(fd, "", "HTTP/1.1 100 Continue\r\n\r\n");
	else if (strstr(request, " /long-head"))
		flood(fd, "HTTP/1.1 200 OK\r\nX-Long: ", "and on and on and on and on and on and on");
	else if (strstr(request, " /extensions"))
		flood(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
			"and on and on and on and on and on and on");
	else if (strstr(request, " /trailers"))
		flood(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
			"X-Again: and again\r\n");
	else if (strstr(request, " /cut"))
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello");
	else if (strstr(request, " /old"))
		put(fd, "hello\n");
	return false;
}

/* The head and as much of the body as is announced; false at the end. */
static bool take_request(int fd, char *at, size_t size)
{
	size_t len = 0;
	for (;;) {
		ssize_t n = recv(fd, at + len, size - 1 - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		at[len] = 0;
		const char *end = strstr(at, "\r\n\r\n"), *body = strstr(at, "Content-Length: ");
		if (end && len >= (size_t)(end - at) + 4 + (body ? strtoul(body + 16, NULL, 10) : 0))
			return true;
	}
}

static void *visit(void *ctx)
{
	struct visitor v = *(struct visitor *)ctx;
	char request[4096];
	free(ctx);
	bool more = true;
	unsigned nth = 0;
	while (more && take_request(v.fd, request, sizeof request)) {
		pthread_mutex_lock(&v.peer->lock);
		v.peer->requests++;
		memcpy(v.peer->last, request, sizeof request);
		pthread_mutex_unlock(&v.peer->lock);
		more = act(v.peer, v.fd, ++nth, request);
	}
	close(v.fd);
	gate_note(&v.peer->gone);
	return NULL;
}

static void *serve(void *ctx)
{
	struct peer *p = ctx;
	int fd;
	while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
		struct visitor *v = malloc(sizeof *v);
		pthread_t t;
		assert_non_null(v);
		*v = (struct visitor){p, fd};
		pthread_mutex_lock(&p->lock);
		p->connections++;
		pthread_mutex_unlock(&p->lock);
		assert_int_equal(pthread_create(&t, NULL, visit, v), 0);
		pthread_detach(t);
	}
	return NULL;
}

static void peer_open(struct peer *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	memset(p, 0, sizeof *p);
	pthread_mutex_init(&p->lock, NULL);
	gate_init(&p->silent);
	gate_init(&p->gone);
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)(void *)&a, sizeof a), 0);
	assert_int_equal(listen(p->fd, 64), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)(void *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void peer_close(struct peer *p)
{
	gate_open(&p->silent);
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	assert_true(gate_wait(&p->gone, p->connections));
}

static struct peer_seen {
	unsigned connections, requests;
} peer_seen(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	struct peer_seen s = {p->connections, p->requests};
	pthread_mutex_unlock(&p->lock);
	return s;
}

/* --- the transfer, and calls to that server --- */

struct fixture {
	struct peer peer;
	struct networks allowed;
	struct transfer *transfer;
	struct gate finished;
	const char *host; /* NULL: by its address */
};

static int set_up(void **state)
{
	static struct fixture f;
	struct reason why;
	memset(&f, 0, sizeof f);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	peer_open(&f.peer);
	networks_add_loopback(&f.allowed);
	gate_init(&f.finished);
	assert_int_equal(transfer_open(&f.transfer, &f.allowed, &why), OK);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	transfer_close(f->transfer);
	peer_close(&f->peer);
	return 0;
}

static void on_done(struct transfer_call *call)
{
	gate_note(call->ctx);
}

static void start(struct fixture *f, struct transfer_call *c, const char *path)
{
	buf_clear(&c->url);
	buf_printf(&c->url, "http://%s:%d%s", f->host ? f->host : "127.0.0.1", f->peer.port, path);
	c->done = on_done;
	c->ctx = c->ctx ? c->ctx : &f->finished;
	if (!c->max_bytes)
		c->max_bytes = MAX_BYTES;
	if (!c->timeout_ms)
		c->timeout_ms = 5000;
	transfer_start(f->transfer, c);
}

static void run(struct fixture *f, struct transfer_call *c, const char *path)
{
	unsigned before = f->finished.came;
	start(f, c, path);
	assert_true(gate_wait(&f->finished, before + 1));
}

#endif
