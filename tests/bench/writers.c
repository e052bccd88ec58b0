/*
 * writers - so many clients that each write one record after the other and wait for every answer.
 *
 *	writers PORT CLIENTS SECONDS      {"acknowledged":N,"wall_s":S,"p50_ms":…,"p99_ms":…}
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIMES_MAX 200000 /* of one client */

struct client {
	pthread_t thread;
	int port;
	double until;
	size_t n;
	float *ms;
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "writers: %s\n", what);
	exit(1);
}

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)(void *)&to, sizeof to) != 0)
		die("cannot connect");
	return fd;
}

/* One whole answer; the connection is left where the next begins. */
static void read_answer(int fd)
{
	char at[4096];
	size_t len = 0;
	for (;;) {
		ssize_t n = read(fd, at + len, sizeof at - 1 - len);
		if (n <= 0)
			die("the connection ended");
		len += (size_t)n;
		at[len] = '\0';
		char *body = strstr(at, "\r\n\r\n"), *length = strcasestr(at, "content-length:");
		if (!body || !length)
			continue;
		if (strncmp(at, "HTTP/1.1 201", 12) != 0)
			die(at);
		if (at + len >= body + 4 + atol(length + 15))
			return;
	}
}

static void *run(void *arg)
{
	struct client *c = arg;
	static const char body[] =
		"{\"type\":\"reading\",\"body\":{\"sensor\":\"temp-hall\",\"value\":21.43,"
		"\"unit\":\"°C\",\"quality\":\"good\",\"remark\":\"one of many, written alone and "
		"waited for by its writer\"}}";
	char request[1024];
	int len = snprintf(request, sizeof request,
		"POST /v1/records HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		c->port, sizeof body - 1, body);
	int fd = dial(c->port);
	for (double from = now(); from < c->until && c->n < TIMES_MAX; c->n++) {
		if (write(fd, request, (size_t)len) != len)
			die("cannot write");
		read_answer(fd);
		double then = now();
		c->ms[c->n] = (float)((then - from) * 1e3);
		from = then;
	}
	close(fd);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: writers PORT CLIENTS SECONDS");
	size_t n = (size_t)atol(argv[2]), total = 0;
	struct client *clients = calloc(n, sizeof *clients);
	double from = now();
	for (size_t i = 0; i < n; i++) {
		clients[i] = (struct client){.port = atoi(argv[1]),
			.until = from + atof(argv[3]),
			.ms = calloc(TIMES_MAX, sizeof(float))};
		pthread_create(&clients[i].thread, NULL, run, &clients[i]);
	}
	float *all = NULL;
	for (size_t i = 0; i < n; i++) {
		pthread_join(clients[i].thread, NULL);
		all = realloc(all, (total + clients[i].n + 1) * sizeof *all);
		memcpy(all + total, clients[i].ms, clients[i].n * sizeof *all);
		total += clients[i].n;
	}
	double wall = now() - from;
	qsort(all, total, sizeof *all, by_size);
	printf("{\"acknowledged\":%zu,\"wall_s\":%.6f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", total, wall,
		(double)all[total / 2], (double)all[total * 99 / 100]);
	return 0;
}
