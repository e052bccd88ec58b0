#include "central/transfer_private.h"

#include "shared/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
/* Below the number of hosts libcurl would close one connection for each it opens. */
#define CONNECTIONS_KEPT 8192
#define WAKE UINT64_MAX
#define GATHER_CALLS 1000
#define GATHER_US 1000

static uint64_t token_of(const struct transfer_lane *lane, curl_socket_t s)
{
	return (uint64_t)(lane - lane->loop->lanes) << 32 | (unsigned)s;
}

/* --- what epoll was told --- */

static struct transfer_watch *watch_of(struct transfer_loop *l, int socket)
{
	size_t n = l->n_watches, at = (size_t)socket;
	if (at >= n) {
		l->n_watches = at + at / 2 + 64;
		l->watches = realloc(l->watches, l->n_watches * sizeof *l->watches);
		if (!l->watches)
			err_out_of_memory();
		memset(l->watches + n, 0, (l->n_watches - n) * sizeof *l->watches);
	}
	return &l->watches[at];
}

void transfer_loop_opened(struct transfer_loop *l, int socket, bool plain)
{
	*watch_of(l, socket) = (struct transfer_watch){.plain = plain};
}

void transfer_loop_closing(struct transfer_loop *l, int socket)
{
	*watch_of(l, socket) = (struct transfer_watch){0};
}

size_t transfer_unread(int socket)
{
	int n = 0;
	return ioctl(socket, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/*
 * Of an answer that comes in parts libcurl reads no further than its end.  What is behind it would be taken for the next answer
 * over this connection: so it is done with, and libcurl, which looks, makes another.
 */
static void end_if_spoilt(struct transfer_loop *l, int socket)
{
	const struct transfer_watch *w = watch_of(l, socket);
	char nowhere[4096];
	if (!w->plain || w->call || transfer_unread(socket) == 0)
		return;
	for (int i = 0; i < 64 && recv(socket, nowhere, sizeof nowhere, MSG_DONTWAIT) > 0; i++)
		;
	shutdown(socket, SHUT_RDWR);
}

static void watch(struct transfer_lane *lane, int socket, uint32_t events)
{
	struct transfer_watch *w = watch_of(lane->loop, socket);
	struct epoll_event ev = {.events = events, .data.u64 = token_of(lane, socket)};
	if (w->known && w->events == events)
		return;
	int r = epoll_ctl(lane->loop->epoll, w->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &ev);
	assert(r == 0 || errno == ENOMEM || errno == ENOSPC); /* then the call ends by its time */
	w->known = r == 0;
	w->events = events;
}

static void unwatch(struct transfer_loop *l, int socket)
{
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, socket, NULL);
	watch_of(l, socket)->known = false;
}

/*
 * libcurl says what it waits for.  When it no longer does, the request is over, and the next one over the same connection will
 * wait for the same: so epoll goes on watching, until something happens that nobody waits for.
 */
static int on_socket(CURL *easy, curl_socket_t s, int what, void *ctx, void *known)
{
	struct transfer_lane *lane = ctx;
	struct transfer_handle *h = NULL;
	(void)known;
	if (what != CURL_POLL_REMOVE && curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&h) != CURLE_OK)
		h = NULL; /* libcurl's own */
	struct transfer_call *call = h ? h->call : NULL;
	if (call)
		transfer_call_waits(call, s);
	watch_of(lane->loop, s)->call = call;
	if (what != CURL_POLL_REMOVE)
		watch(lane, s, (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U));
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
	struct transfer_lane *lane = ctx;
	(void)multi;
	lane->due_us = ms < 0 ? -1 : clock_mono_us() + ms * 1000;
	return 0;
}

static void lane_open(struct transfer_loop *l, struct transfer_lane *lane)
{
	*lane = (struct transfer_lane){.multi = curl_multi_init(), .loop = l, .due_us = -1};
	if (!lane->multi)
		err_out_of_memory();
	curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
}

enum err transfer_loop_open(struct transfer_loop *l, struct reason *why)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE};
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->epoll < 0 || l->wake < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &ev) != 0) {
		int error = errno;
		if (l->epoll >= 0)
			close(l->epoll);
		if (l->wake >= 0)
			close(l->wake);
		return fail(RETRY, why, "no descriptor for transfers: %s", strerror(error));
	}
	for (unsigned i = 0; i < TRANSFER_LANES; i++)
		lane_open(l, &l->lanes[i]);
	return OK;
}

void transfer_loop_close(struct transfer_loop *l)
{
	for (unsigned i = 0; i < TRANSFER_LANES; i++)
		curl_multi_cleanup(l->lanes[i].multi);
	free(l->watches);
	close(l->epoll);
	close(l->wake);
}

static struct transfer_lane *lane_of(struct transfer_loop *l, const struct transfer_call *call)
{
	return &l->lanes[call->lane % TRANSFER_LANES];
}

void transfer_loop_add(struct transfer_loop *l, struct transfer_call *call)
{
	CURLMcode m = curl_multi_add_handle(lane_of(l, call)->multi, call->own.handle->easy);
	if (m == CURLM_OUT_OF_MEMORY)
		err_out_of_memory();
	assert(m == CURLM_OK);
	l->calls++;
}

void transfer_loop_remove(struct transfer_loop *l, struct transfer_call *call)
{
	l->calls--;
	curl_multi_remove_handle(lane_of(l, call)->multi, call->own.handle->easy);
	if (call->own.socket >= 0)
		end_if_spoilt(l, call->own.socket);
}

void transfer_loop_wake(struct transfer_loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake, &one, sizeof one);
	(void)n; /* full: it will wake */
}

static void drive(struct transfer_lane *lane, curl_socket_t s, int what)
{
	int running;
	CURLMcode m = curl_multi_socket_action(lane->multi, s, what, &running);
	if (m == CURLM_OUT_OF_MEMORY)
		err_out_of_memory();
	assert(m == CURLM_OK);
	lane->stirred = true;
}

static void on_socket_event(struct transfer_loop *l, struct transfer_lane *lane, int socket, uint32_t events)
{
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	if (!watch_of(l, socket)
			->call) { /* mostly closed by the other end: libcurl looks before it uses it again */
		end_if_spoilt(l, socket);
		unwatch(l, socket);
		return;
	}
	drive(lane, socket, what);
	struct transfer_call *call = watch_of(l, socket)->call;
	if (call)
		transfer_call_look(call);
}

static void on_event(struct transfer_loop *l, const struct epoll_event *ev)
{
	uint64_t woken;
	if (ev->data.u64 != WAKE) {
		on_socket_event(
			l, &l->lanes[ev->data.u64 >> 32], (int)(ev->data.u64 & UINT32_MAX), ev->events);
		return;
	}
	ssize_t n = read(l->wake, &woken, sizeof woken);
	(void)n;
}

/* -1: nothing is to be done by itself. */
static int64_t left_us(const struct transfer_loop *l, int64_t until_us)
{
	int64_t first = until_us;
	for (unsigned i = 0; i < TRANSFER_LANES; i++) {
		int64_t due = l->lanes[i].due_us;
		if (due >= 0 && (first < 0 || due < first))
			first = due;
	}
	if (first < 0)
		return -1;
	int64_t left = first - clock_mono_us();
	return left > 0 ? left : 0;
}

/* So that what comes of thousands is looked at together: to go to sleep and wake up for each costs as much as to look at it. */
static void gather(void)
{
	const struct timespec a_while = {.tv_nsec = GATHER_US * 1000};
	nanosleep(&a_while, NULL);
}

void transfer_loop_turn(struct transfer_loop *l, int64_t until_us)
{
	struct epoll_event evs[EVENTS];
	int64_t left = left_us(l, until_us);
	if (l->busy && l->calls >= GATHER_CALLS && left != 0) {
		gather();
		left = left_us(l, until_us);
	}
	int64_t begun = clock_mono_us();
	int n = epoll_wait(l->epoll, evs, EVENTS, left < 0 ? -1 : (int)((left + 999) / 1000));
	l->busy = n > 0 && clock_mono_us() - begun < GATHER_US;
	for (int i = 0; i < n; i++)
		on_event(l, &evs[i]);
	int64_t now = clock_mono_us();
	for (unsigned i = 0; i < TRANSFER_LANES; i++) {
		struct transfer_lane *lane = &l->lanes[i];
		if (lane->due_us < 0 || lane->due_us > now)
			continue;
		lane->due_us = -1;
		drive(lane, CURL_SOCKET_TIMEOUT, 0);
	}
}

static struct transfer_call *lane_ended(struct transfer_lane *lane, CURLcode *ret)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(lane->multi, &left))) {
		struct transfer_handle *h = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		*ret = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&h);
		return h->call;
	}
	lane->stirred = false;
	return NULL;
}

struct transfer_call *transfer_loop_ended(struct transfer_loop *l, CURLcode *ret)
{
	for (unsigned i = 0; i < TRANSFER_LANES; i++) {
		struct transfer_call *call = l->lanes[i].stirred ? lane_ended(&l->lanes[i], ret) : NULL;
		if (call)
			return call;
	}
	return NULL;
}
