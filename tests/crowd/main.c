/*
 * crowd - many locals in one process and one thread: what a centre with hundreds or thousands of nodes is
 * measured and tested with.
 *
 *	crowd MEMBERS [BODY_BYTES [RECORDS [PREFIX]]]
 *
 * They are called n0, n1, … or what PREFIX says.  Each listens on a loopback port of its own and answers GET /v1/changes as PROTOCOL.md says (it takes no
 * pushes), and GET /metrics with four figures, for a scraper to be measured beside a centre.  The first line tells the ports.
 * Then it obeys lines from its standard input until that ends:
 *
 *	rate R       write R records a second, each at a member picked by chance
 *	mark         tell what was seen since the last mark, and forget it:
 *	             polls, scrapes; news: how long a written record took until the centre said that it holds it;
 *	             turns: from an answer to the same member's next request, which is the centre's time alone;
 *	             gaps: from a request of a member to its next one
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/entropy.h"
#include "shared/http.h"
#include "tests/crowd/member.h"

#define EVENTS 256
#define REQUEST_MAX 4096
#define TICK_US 1000
#define NOT_PARKED INT64_MAX

struct place { /* a member and its connection */
	struct member member;
	int listener, fd; /* fd -1: not connected */
	char in[REQUEST_MAX];
	size_t in_len;
	struct buf out;
	size_t sent;
	struct page_request asked;
	int64_t received_us, answered_us; /* wall; monotonic, 0 = not yet */
	int64_t asked_us;                 /* monotonic: when it was polled last; 0 = not yet */
};

struct series {
	double *ms;
	size_t n, cap;
};

static struct crowd {
	int epoll;
	struct place *places;
	unsigned n;
	double rate;
	int64_t wrote_us; /* up to here the rate was served */
	uint64_t polls, scrapes;
	int64_t *
		due_us; /* of each place, monotonic: when a parked request is answered; side by side, since all are looked at every millisecond */
	struct series news, turns, gaps;
	char line[256];
	size_t line_len;
} crowd;

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- what is seen --- */

static void series_add(struct series *s, int64_t us)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1024;
		s->ms = realloc(s->ms, s->cap * sizeof *s->ms);
		if (!s->ms)
			die("memory");
	}
	s->ms[s->n++] = (double)us / 1000;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double share(const struct series *s, double part)
{
	return s->n ? s->ms[(size_t)(part * (double)(s->n - 1))] : 0;
}

static void series_tell(struct series *s, const char *name)
{
	if (s->n)
		qsort(s->ms, s->n, sizeof *s->ms, by_size);
	printf("\"%s\":{\"n\":%zu,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, s->n, share(s, 0.5),
		share(s, 0.99), share(s, 1));
	s->n = 0;
}

static void tell_mark(struct crowd *c)
{
	uint64_t held = 0, written = 0;
	for (unsigned i = 0; i < c->n; i++) {
		held += c->places[i].member.held;
		written += c->places[i].member.n;
	}
	printf("{\"polls\":%llu,\"scrapes\":%llu,\"held\":%llu,\"written\":%llu,",
		(unsigned long long)c->polls, (unsigned long long)c->scrapes, (unsigned long long)held,
		(unsigned long long)written);
	series_tell(&c->news, "news");
	putchar(',');
	series_tell(&c->turns, "turns");
	putchar(',');
	series_tell(&c->gaps, "gaps");
	puts("}");
	fflush(stdout);
	c->polls = c->scrapes = 0;
}

/* --- connections --- */

static void watch(struct crowd *c, int op, int fd, uint32_t events, unsigned place, bool listener)
{
	struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)place << 1 | listener};
	if (epoll_ctl(c->epoll, op, fd, &ev) != 0)
		die("epoll_ctl");
}

static void hang_up(struct crowd *c, unsigned i)
{
	struct place *p = &c->places[i];
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	c->due_us[i] = NOT_PARKED;
	p->in_len = p->sent = 0;
	buf_done(&p->out);
}

/* The centre keeps one connection to a node; a newer one replaces it. */
static void welcome(struct crowd *c, unsigned i)
{
	struct place *p = &c->places[i];
	int one = 1, fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	hang_up(c, i);
	p->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	watch(c, EPOLL_CTL_ADD, fd, EPOLLIN, i, false);
}

static void flush_out(struct crowd *c, unsigned i)
{
	struct place *p = &c->places[i];
	while (p->sent < p->out.len) {
		ssize_t n = send(p->fd, p->out.at + p->sent, p->out.len - p->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLL_CTL_MOD, p->fd, EPOLLIN | EPOLLOUT, i, false);
			return;
		}
		if (n < 0) {
			hang_up(c, i);
			return;
		}
		p->sent += (size_t)n;
	}
	watch(c, EPOLL_CTL_MOD, p->fd, EPOLLIN, i, false);
	buf_done(&p->out);
	p->sent = 0;
	p->answered_us = clock_mono_us();
}

static void reply(struct crowd *c, unsigned i, int status, const char *type, const struct buf *body)
{
	struct place *p = &c->places[i];
	buf_printf(&p->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
		status == 200 ? "OK" : "Conflict", type, body->len);
	buf_put(&p->out, buf_span(body));
	c->due_us[i] = NOT_PARKED;
	flush_out(c, i);
}

static bool is_scrape(struct span target)
{
	return span_is(target, "/metrics");
}

static void answer_scrape(struct crowd *c, unsigned i)
{
	const struct member *m = &c->places[i].member;
	struct buf body = {0};
	c->scrapes++;
	buf_printf(&body, "records %zu\nhead_seq %zu\nheld %llu\nup 1\n", m->n, m->n,
		(unsigned long long)m->held);
	reply(c, i, 200, "text/plain; version=0.0.4", &body);
	buf_done(&body);
}

static void answer(struct crowd *c, unsigned i)
{
	struct place *p = &c->places[i];
	struct buf body = {0};
	member_answer(&p->member, &p->asked, p->received_us, &body);
	reply(c, i, 200, "application/x-ndjson", &body);
	buf_done(&body);
}

static void note_request(struct crowd *c, struct place *p, int64_t now)
{
	struct member *m = &p->member;
	c->polls++;
	if (p->answered_us)
		series_add(&c->turns, now - p->answered_us);
	if (p->asked_us)
		series_add(&c->gaps, now - p->asked_us);
	p->asked_us = now;
	for (; m->held < p->asked.after; m->held++)
		if (m->rows[m->held].wrote_us)
			series_add(&c->news, now - m->rows[m->held].wrote_us);
}

static void take_request(struct crowd *c, unsigned i)
{
	struct place *p = &c->places[i];
	struct buf problem = {0};
	char *target = strchr(p->in, ' '), *end = target ? strchr(target + 1, ' ') : NULL;
	int64_t now = clock_mono_us();
	if (!end) {
		hang_up(c, i);
		return;
	}
	struct span what = {target + 1, (size_t)(end - target - 1)};
	if (is_scrape(what)) {
		p->in_len = 0;
		answer_scrape(c, i);
		return;
	}
	p->received_us = clock_wall_us();
	bool good = member_read(&p->member, what, &p->asked, &problem);
	p->in_len = 0;
	if (good)
		note_request(c, p, now);
	if (!good) {
		reply(c, i, 409, "application/problem+json", &problem);
	} else if (p->asked.after < p->member.n || p->asked.wait_ms == 0) {
		answer(c, i);
	} else {
		c->due_us[i] = now + p->asked.wait_ms * 1000;
	}
	buf_done(&problem);
}

static void hear(struct crowd *c, unsigned i)
{
	struct place *p = &c->places[i];
	ssize_t n = recv(p->fd, p->in + p->in_len, sizeof p->in - 1 - p->in_len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(c, i);
		return;
	}
	p->in_len += (size_t)n;
	p->in[p->in_len] = 0;
	if (strstr(p->in, "\r\n\r\n"))
		take_request(c, i);
	else if (p->in_len == sizeof p->in - 1)
		hang_up(c, i);
}

/* --- time --- */

static void write_news(struct crowd *c, int64_t now)
{
	double due = c->rate * (double)(now - c->wrote_us) / 1e6;
	if (due < 1)
		return;
	for (unsigned k = 0; k < (unsigned)due; k++) {
		unsigned i = (unsigned)entropy_below(c->n);
		member_write(&c->places[i].member, now);
		if (c->due_us[i] != NOT_PARKED)
			answer(c, i);
	}
	c->wrote_us += (int64_t)((double)(unsigned)due / c->rate * 1e6);
}

static void tick(struct crowd *c, int64_t now)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->due_us[i] <= now)
			answer(c, i);
	if (c->rate > 0)
		write_news(c, now);
}

/* --- orders --- */

static void obey(struct crowd *c, const char *line)
{
	if (sscanf(line, "rate %lf", &c->rate) == 1)
		c->wrote_us = clock_mono_us();
	else if (!strcmp(line, "mark"))
		tell_mark(c);
	else
		fprintf(stderr, "crowd: what is %s?\n", line);
}

/* False: the end. */
static bool take_orders(struct crowd *c)
{
	ssize_t n = read(STDIN_FILENO, c->line + c->line_len, sizeof c->line - 1 - c->line_len);
	char *end;
	if (n <= 0)
		return false;
	c->line_len += (size_t)n;
	c->line[c->line_len] = 0;
	while ((end = strchr(c->line, '\n'))) {
		*end = 0;
		obey(c, c->line);
		c->line_len = strlen(end + 1);
		memmove(c->line, end + 1, c->line_len + 1);
	}
	return true;
}

/* --- life --- */

static int listen_somewhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&a, sizeof a) != 0 || listen(fd, 16) != 0)
		die("listen");
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	if (getsockname(fd, (struct sockaddr *)(void *)&a, &len) != 0)
		die("getsockname");
	return ntohs(a.sin_port);
}

static void open_place(struct crowd *c, unsigned i, const char *prefix, unsigned body_bytes, unsigned records)
{
	struct place *p = &c->places[i];
	char name[32];
	snprintf(name, sizeof name, "%s%u", prefix, i);
	member_init(&p->member, name, body_bytes);
	while (records-- > 0)
		member_write(&p->member, 0);
	p->fd = -1;
	p->listener = listen_somewhere();
	watch(c, EPOLL_CTL_ADD, p->listener, EPOLLIN, i, true);
	printf("%s%d", i ? "," : "{\"ports\":[", port_of(p->listener));
}

static void serve(struct crowd *c, const struct epoll_event *ev)
{
	unsigned i = (unsigned)(ev->data.u64 >> 1);
	if (ev->data.u64 & 1) {
		welcome(c, i);
		return;
	}
	if (ev->events & EPOLLOUT)
		flush_out(c, i);
	if (ev->events & ~(unsigned)EPOLLOUT && c->places[i].fd >= 0)
		hear(c, i);
}

static void run(struct crowd *c)
{
	struct epoll_event evs[EVENTS];
	int64_t ticked = 0;
	for (;;) {
		int n = epoll_wait(c->epoll, evs, EVENTS, 1);
		for (int k = 0; k < n; k++) {
			if (evs[k].data.u64 != UINT64_MAX)
				serve(c, &evs[k]);
			else if (!take_orders(c))
				return;
		}
		int64_t now = clock_mono_us();
		if (now - ticked < TICK_US)
			continue;
		ticked = now;
		tick(c, now);
	}
}

static void raise_descriptors(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

int main(int argc, char **argv)
{
	struct crowd *c = &crowd;
	struct epoll_event orders = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
	c->n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	if (c->n == 0) {
		fprintf(stderr, "Usage: crowd MEMBERS [BODY_BYTES [RECORDS [PREFIX]]]\n");
		return 2;
	}
	raise_descriptors();
	c->places = calloc(c->n, sizeof *c->places);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->due_us = calloc(c->n, sizeof *c->due_us);
	if (!c->places || !c->due_us || c->epoll < 0 ||
		epoll_ctl(c->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &orders) != 0)
		die("start");
	for (unsigned i = 0; i < c->n; i++)
		open_place(c, i, argc > 4 ? argv[4] : "n",
			argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20,
			argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0);
	puts("]}");
	fflush(stdout);
	run(c);
	for (unsigned i = 0; i < c->n; i++) {
		hang_up(c, i);
		member_done(&c->places[i].member);
	}
	return 0;
}
