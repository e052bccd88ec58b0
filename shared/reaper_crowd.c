/* Who shares what with whom: addresses, places, memory. */
#include "shared/reaper_private.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "shared/clock.h"

#define IDLE_ENOUGH_US 1000000
#define STALLED_US 1000000
#define LOOK_US 1000000
#define TRIES 32 /* among those with something to read; then one of them goes */

struct reaper_tally reaper_count(const struct reaper *r, const struct reaper_address *from)
{
	struct reaper_tally t = {0};
	for (const struct reaper_entry *e = r->entries; e; e = e->next) {
		if (e->closing || (from && e->from != from))
			continue;
		t.open++;
		t.reading += e->state == REAPER_READING;
		t.waiting += e->waits;
		t.large += e->large;
		t.body += e->body;
		t.reply += e->reply;
	}
	return t;
}

/* Addresses. */

static void key_of(const struct sockaddr *a, unsigned char ret[REAPER_KEY_BYTES])
{
	static const unsigned char v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	memset(ret, 0, REAPER_KEY_BYTES);
	if (a && a->sa_family == AF_INET) {
		memcpy(ret, v4_mapped, sizeof v4_mapped);
		memcpy(ret + sizeof v4_mapped, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	} else if (a && a->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
		/* The first half: who has one address of a network has all of it. */
		memcpy(ret, v6, IN6_IS_ADDR_V4MAPPED(v6) ? REAPER_KEY_BYTES : REAPER_KEY_BYTES / 2);
	}
}

struct reaper_address *reaper_address_take(struct reaper *r, const struct sockaddr *from)
{
	unsigned char key[REAPER_KEY_BYTES];
	struct reaper_address *a = r->addresses;
	key_of(from, key);
	while (a && memcmp(a->key, key, sizeof key) != 0)
		a = a->next;
	if (!a) {
		a = calloc(1, sizeof *a);
		if (!a)
			return NULL;
		memcpy(a->key, key, sizeof key);
		a->next = r->addresses;
		r->addresses = a;
		r->figures.addresses++;
	}
	a->entries++;
	return a;
}

void reaper_address_leave(struct reaper *r, struct reaper_address *a)
{
	if (!a || --a->entries > 0)
		return;
	struct reaper_address **at = &r->addresses;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	r->figures.addresses--;
	free(a);
}

/* Places. */

/* Bytes of its body that came, or bytes that its peer has taken of all that were ever sent. */
static uint64_t progress(const struct reaper_entry *e)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	if (e->state != REAPER_SENDING)
		return e->read;
	return getsockopt(e->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

void reaper_look(struct reaper_entry *e, int64_t now_us)
{
	e->looked_us = now_us;
	e->looked = progress(e);
}

/*
 * Is what it sends or takes slower than REAPER_BYTES_S?  Since the last look: a burst at the beginning, which may be in the
 * kernel's buffers alone, buys no time.
 */
static bool is_slow(struct reaper_entry *e, int64_t now_us)
{
	int64_t age_us = now_us - e->looked_us;
	uint64_t from = e->looked;
	if (age_us >= STALLED_US) {
		reaper_look(e, now_us);
		e->slow = e->looked - from < (uint64_t)age_us * REAPER_BYTES_S / 1000000;
	}
	return e->slow;
}

/* Who goes sooner has less. */
enum standing { GOES_FIRST, GOES_NEXT, GOES_LAST, STAYS };

static enum standing standing_of(struct reaper_entry *e, int64_t now_us)
{
	int64_t age_us = now_us - e->since_us;
	if (e->closing)
		return STAYS;
	switch (e->state) {
	case REAPER_IDLE:
		/* One that has just been served is no more useless than a request that has not come whole. */
		return age_us >= IDLE_ENOUGH_US ? GOES_FIRST : GOES_NEXT;
	case REAPER_READING:
		return GOES_NEXT;
	case REAPER_SENDING:
		return (e->reply > 0 ? is_slow(e, now_us) : age_us >= STALLED_US) ? GOES_LAST : STAYS;
	case REAPER_WORKING:
		break;
	}
	return STAYS;
}

struct place {
	enum standing standing;
	int64_t since_us;
};

static bool before(struct place a, struct place b)
{
	return a.standing != b.standing ? a.standing < b.standing : a.since_us < b.since_us;
}

/* The first behind `*place` (which it becomes), of an address, or of all where it is NULL. */
static struct reaper_entry *next_behind(
	const struct reaper *r, const struct reaper_address *from, int64_t now_us, struct place *place)
{
	struct reaper_entry *found = NULL;
	struct place least = {STAYS, 0};
	for (struct reaper_entry *e = r->entries; e; e = e->next) {
		struct place p = {standing_of(e, now_us), e->since_us};
		if (p.standing != STAYS && (!from || e->from == from) && before(*place, p) &&
			before(p, least)) {
			found = e;
			least = p;
		}
	}
	*place = least;
	return found;
}

/* Something has come that our side has not read yet: it is we who are slow. */
static bool is_behind(const struct reaper_entry *e)
{
	int n = 0;
	return e->state != REAPER_SENDING && ioctl(e->fd, FIONREAD, &n) == 0 && n > e->peeked;
}

static struct reaper_entry *useless(const struct reaper *r, const struct reaper_address *from, int64_t now_us)
{
	struct place place = {GOES_FIRST, INT64_MIN};
	struct reaper_entry *e = next_behind(r, from, now_us, &place);
	for (unsigned i = 0; e && i < TRIES && is_behind(e); i++)
		e = next_behind(r, from, now_us, &place);
	return e;
}

static const struct reaper_address *largest(const struct reaper *r)
{
	const struct reaper_address *found = r->addresses;
	for (const struct reaper_address *a = r->addresses; a; a = a->next) {
		if (a->entries > found->entries)
			found = a;
	}
	return found;
}

void reaper_make_room(struct reaper *r, const struct reaper_address *from, int64_t now_us)
{
	struct reaper_entry *e = NULL;
	if (from && reaper_count(r, from).open >= r->limits.share) {
		e = useless(r, from, now_us);
	} else if (reaper_count(r, NULL).open >= r->limits.connections) {
		e = useless(r, largest(r), now_us);
		if (!e)
			e = useless(r, NULL, now_us);
	}
	if (e)
		reaper_end_locked(r, e, REAPER_CROWDED);
}

void reaper_relieve(struct reaper *r)
{
	pthread_mutex_lock(&r->lock);
	struct reaper_entry *e = useless(r, NULL, clock_mono_us());
	if (e)
		reaper_end_locked(r, e, REAPER_CROWDED);
	pthread_mutex_unlock(&r->lock);
}

/* Memory. */

static bool fits(const struct reaper *r, const struct reaper_entry *e, bool body, uint64_t more)
{
	struct reaper_tally all = reaper_count(r, NULL), own = reaper_count(r, e->from);
	return (body ? all.body : all.reply) + more <= r->limits.bytes &&
	       (body ? own.body : own.reply) + more <= r->limits.bytes_share;
}

/* Ends those that take memory longer than is decent, until it fits. */
static bool make_fit(struct reaper *r, struct reaper_entry *e, bool body, uint64_t more)
{
	int64_t now_us = clock_mono_us();
	enum reaper_state state = body ? REAPER_READING : REAPER_SENDING;
	for (struct reaper_entry *o = r->entries; o && !fits(r, e, body, more); o = o->next) {
		if (o == e || o->closing || o->state != state || (body ? o->body : o->reply) == 0)
			continue;
		if (is_slow(o, now_us))
			reaper_end_locked(r, o, REAPER_MEMORY);
	}
	bool fit = fits(r, e, body, more);
	if (!fit)
		r->figures.refused[body ? REAPER_NO_BODY : REAPER_NO_REPLY]++;
	return fit;
}

bool reaper_body(struct reaper *r, struct reaper_entry *e, uint64_t length)
{
	if (length <= REAPER_SMALL_BYTES)
		return true;
	pthread_mutex_lock(&r->lock);
	bool fit = make_fit(r, e, true, length);
	if (fit) {
		e->body = length;
		reaper_look(e, clock_mono_us());
	}
	pthread_mutex_unlock(&r->lock);
	return fit;
}

bool reaper_reply(struct reaper *r, struct reaper_entry *e, uint64_t length)
{
	pthread_mutex_lock(&r->lock);
	bool fit = length <= REAPER_SMALL_BYTES || make_fit(r, e, false, length);
	reaper_turn_over(r, e);
	if (fit && length > REAPER_SMALL_BYTES)
		e->reply = length;
	pthread_mutex_unlock(&r->lock);
	return fit;
}

void reaper_turn_over(struct reaper *r, struct reaper_entry *e)
{
	if (e->large)
		pthread_cond_broadcast(&r->turn);
	e->large = false;
}

static bool is_turn_of(const struct reaper *r, const struct reaper_entry *e)
{
	return e->large || (reaper_count(r, NULL).large < r->limits.large &&
				   reaper_count(r, e->from).large < r->limits.large_share);
}

/* A client that closes its half of the connection and goes on reading counts as gone too. */
static bool is_gone(struct reaper *r, struct reaper_entry *e)
{
	struct pollfd p = {.fd = e->fd, .events = POLLRDHUP};
	if (!e->gone && !e->closing && poll(&p, 1, 0) > 0) {
		e->gone = true;
		r->figures.ended[REAPER_VANISHED]++;
	}
	return e->gone || e->closing;
}

bool reaper_large(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	bool gone = false;
	while (!r->draining && !gone && !is_turn_of(r, e)) {
		reaper_wait_until(&r->turn, &r->lock, clock_mono_us() + LOOK_US);
		gone = is_gone(r, e);
	}
	e->large = !r->draining && !gone;
	bool large = e->large;
	pthread_mutex_unlock(&r->lock);
	return large;
}

/* Waiting. */

bool reaper_wait(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	reaper_turn_over(r, e);
	e->waits = e->waits || reaper_count(r, e->from).waiting < r->limits.waits;
	if (!e->waits)
		r->figures.refused[REAPER_NO_WAIT]++;
	bool waits = e->waits;
	pthread_mutex_unlock(&r->lock);
	return waits;
}

bool reaper_is_gone(struct reaper *r, struct reaper_entry *e)
{
	pthread_mutex_lock(&r->lock);
	bool gone = is_gone(r, e);
	pthread_mutex_unlock(&r->lock);
	return gone;
}

/* Figures. */

const char *reaper_reason_name(enum reaper_reason why)
{
	static const char *const names[REAPER_REASONS] = {
		[REAPER_IDLED] = "idle",
		[REAPER_SLOW] = "slow_request",
		[REAPER_UNREAD] = "slow_reader",
		[REAPER_CROWDED] = "crowded",
		[REAPER_MEMORY] = "memory",
		[REAPER_VANISHED] = "vanished",
	};
	return names[why];
}

const char *reaper_refusal_name(enum reaper_refusal what)
{
	static const char *const names[REAPER_REFUSALS] = {
		[REAPER_NO_PLACE] = "connection",
		[REAPER_NO_BODY] = "body",
		[REAPER_NO_REPLY] = "answer",
		[REAPER_NO_WAIT] = "wait",
	};
	return names[what];
}

void reaper_figures(struct reaper *r, struct reaper_figures *ret)
{
	pthread_mutex_lock(&r->lock);
	*ret = r->figures;
	ret->open = reaper_count(r, NULL).open;
	pthread_mutex_unlock(&r->lock);
}
