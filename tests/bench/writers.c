/*
 * writers - so many clients that each write one request after the other and wait for every answer.
 *
 *	writers PORT CLIENTS SECONDS [RECORDS [REQUESTS]]
 *	{"requests":N,"acknowledged":N,"wall_s":S,"cpu_s":S,"p50_ms":…,"p99_ms":…}
 *
 * RECORDS of a request (1 by default: an object; else a line each), REQUESTS after which it ends before its time.  All clients are one
 * thread, and what is sent is made before the clock starts: whoever measures shares the machine with whom is measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 64
#define HEAD_BYTES 4096
#define TIMES_MAX 8000000

static struct {
	char *at;
	size_t len, records;
} request;

static struct {
	float *ms;
	size_t n, most;
} times;

struct client {
	int fd;
	double from; /* when its request began */
	size_t sent; /* of the request */
	size_t head; /* bytes of the answer's head that have come; */
	size_t left; /* then of its body that have not */
	char at[HEAD_BYTES];
};

static double seconds(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "writers: %s\n", what);
	exit(1);
}

/* Readings of about 200 bytes as they are stored. */
static void make_request(int port, size_t records)
{
	char *body;
	size_t len;
	FILE *f = open_memstream(&body, &len);
	for (size_t i = 0; i < records; i++)
		fprintf(f,
			"{\"type\":\"reading\",\"body\":{\"sensor\":\"temp-%02zu\",\"value\":%zu.%02zu,"
			"\"unit\":\"°C\","
			"\"quality\":\"good\",\"remark\":\"one of many, and waited for by its writer\"}}%s",
			i % 97, i % 40, i % 100, records > 1 ? "\n" : "");
	fclose(f);
	request.records = records;
	request.at = malloc(len + 256);
	request.len = (size_t)sprintf(request.at,
		"POST /v1/records HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
		"application/%s\r\nContent-Length: %zu\r\n\r\n",
		port, records > 1 ? "x-ndjson" : "json", len);
	memcpy(request.at + request.len, body, len);
	request.len += len;
	free(body);
}

static void dial(struct client *c, int port, int epoll)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	int one = 1;
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->fd, (struct sockaddr *)(void *)&to, sizeof to) != 0)
		die("cannot connect");
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("cannot wait for it");
	c->from = seconds(CLOCK_MONOTONIC);
}

static void send_rest(struct client *c)
{
	while (c->sent < request.len) {
		ssize_t n = send(c->fd, request.at + c->sent, request.len - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			die("cannot write");
		c->sent += (size_t)n;
	}
}

/* Looks into what has come of a head; false: not all of it. */
static int read_head(struct client *c, size_t n)
{
	c->head += n;
	c->at[c->head] = '\0';
	char *body = strstr(c->at, "\r\n\r\n"), *length = strcasestr(c->at, "content-length:");
	if (!body && c->head < HEAD_BYTES - 1)
		return 0;
	if (!body || !length || strncmp(c->at, "HTTP/1.1 201", 12) != 0)
		die(c->at);
	c->left = (size_t)atol(length + 15) - (c->head - (size_t)(body + 4 - c->at));
	return 1;
}

/* True: the whole answer has come.  What is in its body is not looked at, nor even copied. */
static int read_answer(struct client *c)
{
	for (;;) {
		ssize_t n = c->left > 0 ? recv(c->fd, NULL, c->left, MSG_TRUNC)
					: recv(c->fd, c->at + c->head, HEAD_BYTES - 1 - c->head, 0);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			die("the connection ended");
		if (c->left > 0)
			c->left -= (size_t)n;
		else if (!read_head(c, (size_t)n))
			continue;
		if (c->left == 0)
			return 1;
	}
}

static void attend(struct client *c)
{
	send_rest(c);
	while (c->sent == request.len && read_answer(c)) {
		double now = seconds(CLOCK_MONOTONIC);
		if (times.n < times.most)
			times.ms[times.n++] = (float)((now - c->from) * 1e3);
		c->from = now;
		c->head = c->sent = 0;
		if (times.n == times.most)
			return;
		send_rest(c);
	}
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	if (argc < 4 || argc > 6)
		die("usage: writers PORT CLIENTS SECONDS [RECORDS [REQUESTS]]");
	int port = atoi(argv[1]), epoll = epoll_create1(0);
	size_t n = (size_t)atol(argv[2]);
	make_request(port, argc > 4 ? (size_t)atol(argv[4]) : 1);
	times.most = argc > 5 ? (size_t)atol(argv[5]) : TIMES_MAX;
	times.ms = malloc(times.most * sizeof *times.ms);
	struct client *clients = calloc(n, sizeof *clients);
	double from = seconds(CLOCK_MONOTONIC), until = from + atof(argv[3]);
	for (size_t i = 0; i < n; i++)
		dial(&clients[i], port, epoll);
	while (times.n < times.most && seconds(CLOCK_MONOTONIC) < until) {
		int ready = epoll_wait(epoll, events, EVENTS, 100);
		for (int i = 0; i < ready; i++)
			attend(events[i].data.ptr);
	}
	double wall = seconds(CLOCK_MONOTONIC) - from;
	if (times.n == 0)
		die("no answer within that time");
	qsort(times.ms, times.n, sizeof *times.ms, by_size);
	printf("{\"requests\":%zu,\"acknowledged\":%zu,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"p50_ms\":%.3f,\"p99_"
	       "ms\":%.3f}\n",
		times.n, times.n * request.records, wall, seconds(CLOCK_PROCESS_CPUTIME_ID),
		(double)times.ms[times.n / 2], (double)times.ms[times.n * 99 / 100]);
	return 0;
}
