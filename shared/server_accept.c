/*
 * Who comes waits in the lobby, without a thread, until the head of a request is there whole: neither those who never say
 * anything nor those who drip a head cost more than a descriptor.  Then it is handed to libmicrohttpd, which tells us when it has
 * begun with it, in the order in which it got them.  With TLS it is the hello that is waited for.
 */
#include "shared/server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 64
#define PEEK_BYTES 8192 /* a longer head is libmicrohttpd's to wait for */
#define PAUSE_NS 10000000
/* A TLS record: its kind, its version in two bytes, its length in two. */
#define TLS_HANDSHAKE 22
#define TLS_HEAD_BYTES 5

static void forget(struct server *s, struct connection *c)
{
	reaper_drop(s->reaper, &c->entry);
	free(c);
}

/* The lobby: only its own thread touches it. */

static void enter(struct server *s, struct connection *c)
{
	c->next = s->lobby;
	c->at = &s->lobby;
	if (c->next)
		c->next->at = &c->next;
	s->lobby = c;
}

static void leave(struct connection *c)
{
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	c->next = NULL;
}

static void turn_out(struct server *s, struct connection *c)
{
	int fd = c->fd;
	leave(c);
	forget(s, c);
	close(fd);
}

/* On the way to libmicrohttpd. */

static void hand_over(struct server *s, struct connection *c)
{
	reaper_working(s->reaper, &c->entry); /* whose socket is not ours to shut down, until it has begun */
	pthread_mutex_lock(&s->handing);
	*s->handed_end = c;
	s->handed_end = &c->next;
	pthread_mutex_unlock(&s->handing);
	/* What it refuses at once it closes; ours is then dropped with the next that it begins with. */
	(void)!MHD_add_connection(s->daemon, c->fd, (const struct sockaddr *)&c->address, c->size);
}

static struct connection *take_first(struct server *s)
{
	struct connection *c = s->handed;
	if (c) {
		s->handed = c->next;
		if (!s->handed)
			s->handed_end = &s->handed;
		c->next = NULL;
	}
	return c;
}

struct connection *server_begin(struct server *s, int fd)
{
	struct connection *c;
	pthread_mutex_lock(&s->handing);
	while ((c = take_first(s)) && c->fd != fd)
		forget(s, c); /* it had no memory for that one, and closed it */
	pthread_mutex_unlock(&s->handing);
	if (c)
		reaper_reading(s->reaper, &c->entry);
	return c;
}

/* What has come. */

enum coming { HUNG_UP, PART, WHOLE };

/* Or is there nothing to wait for, since its first line is none of HTTP: a hello of TLS, a word of another protocol? */
static bool has_head(const char *at, size_t len)
{
	const char *end = memchr(at, '\n', len);
	return end && (!memmem(at, (size_t)(end - at), " HTTP/1.", 8) || memmem(at, len, "\n\r\n", 3) ||
			      memmem(at, len, "\n\n", 2));
}

/* The first record, which is a ClientHello; what is none waits for nothing. */
static bool has_hello(const char *at, size_t len)
{
	const unsigned char *record = (const unsigned char *)at;
	if (record[0] != TLS_HANDSHAKE)
		return true;
	return len >= TLS_HEAD_BYTES && len >= TLS_HEAD_BYTES + ((size_t)record[3] << 8 | record[4]);
}

static enum coming look(const struct server *s, struct connection *c)
{
	char head[PEEK_BYTES];
	ssize_t n = recv(c->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? PART : HUNG_UP;
	if (n == 0)
		return HUNG_UP;
	bool whole = s->speaks_tls ? has_hello(head, (size_t)n) : has_head(head, (size_t)n);
	whole = whole || n == sizeof head;
	c->entry.peeked = whole ? 0 : (int)n;
	return whole ? WHOLE : PART;
}

static void attend(struct server *s, struct connection *c, uint32_t events)
{
	enum coming what = look(s, c);
	if (what == WHOLE) {
		(void)!epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		leave(c);
		hand_over(s, c);
	} else if (what == HUNG_UP || events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		turn_out(s, c);
	}
}

static void welcome(struct server *s, struct connection *c)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c};
	enter(s, c);
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0)
		turn_out(s, c);
}

/* False: nobody waits at the door, or nobody can be let in now. */
static bool let_in(struct server *s)
{
	struct connection *c = calloc(1, sizeof *c);
	if (!c)
		err_out_of_memory();
	c->size = sizeof c->address;
	c->fd = accept4(s->listen_fd, (struct sockaddr *)&c->address, &c->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0) {
		int error = errno;
		free(c);
		if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
			reaper_relieve(s->reaper);
			nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
		}
		return error == ECONNABORTED || error == EINTR;
	}
	enum coming what = look(s, c);
	int peeked = c->entry.peeked;
	if (what == HUNG_UP || !reaper_add(s->reaper, &c->entry, c->fd, (struct sockaddr *)&c->address)) {
		close(c->fd);
		free(c);
	} else if (what == WHOLE) {
		hand_over(s, c);
	} else {
		c->entry.peeked = peeked; /* reaper_add() made the entry anew */
		welcome(s, c);
	}
	return true;
}

static void *run(void *arg)
{
	struct server *s = arg;
	struct epoll_event e[AT_ONCE];
	for (;;) {
		int n = epoll_wait(s->epoll_fd, e, AT_ONCE, -1);
		for (int i = 0; i < n; i++) {
			if (e[i].data.ptr == &s->wake_fd)
				return NULL;
			if (e[i].data.ptr != &s->listen_fd)
				attend(s, e[i].data.ptr, e[i].events);
			for (int k = 0; e[i].data.ptr == &s->listen_fd && k < AT_ONCE && let_in(s); k++)
				continue;
		}
	}
}

/* To begin and to end. */

static bool watch(struct server *s, int *fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = fd};
	return *fd >= 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, *fd, &e) == 0;
}

bool server_accept_start(struct server *s)
{
	s->handed_end = &s->handed;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->wake_fd = eventfd(0, EFD_CLOEXEC);
	s->accepts = s->epoll_fd >= 0 && watch(s, &s->wake_fd) && watch(s, &s->listen_fd) &&
		     pthread_create(&s->acceptor, NULL, run, s) == 0;
	return s->accepts;
}

void server_accept_stop(struct server *s)
{
	const uint64_t one = 1;
	if (s->accepts) {
		(void)!write(s->wake_fd, &one, sizeof one);
		pthread_join(s->acceptor, NULL);
	}
	s->accepts = false;
	for (struct connection *c = s->lobby, *next; c; c = next) {
		int fd = c->fd;
		next = c->next;
		forget(s, c);
		close(fd);
	}
	s->lobby = NULL;
}

void server_accept_done(struct server *s)
{
	struct connection *c;
	while ((c = take_first(s)))
		forget(s, c);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_mutex_destroy(&s->handing);
}
