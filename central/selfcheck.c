#include "central/selfcheck.h"

#include <string.h>

#include "shared/lite.h"

/* As at a local: so much more than what is low is room again. */
#define ROOM_AGAIN_BYTES ((int64_t)1 << 20)

void selfcheck_init(struct selfcheck *s)
{
	*s = (struct selfcheck){.now = 0};
	pthread_mutex_init(&s->lock, NULL);
}

void selfcheck_done(struct selfcheck *s)
{
	pthread_mutex_destroy(&s->lock);
}

/* Which there are, each with its sentence. */
static unsigned find(const struct selfcheck_seen *seen, unsigned before, struct reason text[static AILMENTS])
{
	bool was_low = before & AILMENT_BIT(AILMENT_DISK_LOW);
	int64_t least = LITE_ROOM_BYTES + (was_low ? ROOM_AGAIN_BYTES : 0);
	unsigned now = 0;

	if (seen->store_failed) {
		bool full = strstr(seen->store_why->text, REASON_DISK_FULL);
		enum ailment a = full ? AILMENT_DISK_FULL : AILMENT_WRITES_FAIL;
		now |= AILMENT_BIT(a);
		(void)fail(OK, &text[a], "the store cannot be read or takes no writes: %.150s",
			seen->store_why->text);
	}
	if (seen->free_bytes >= 0 && seen->free_bytes < least && !(now & AILMENT_BIT(AILMENT_DISK_FULL))) {
		now |= AILMENT_BIT(AILMENT_DISK_LOW);
		(void)fail(OK, &text[AILMENT_DISK_LOW], "only %lld KiB are free where the store lies",
			(long long)(seen->free_bytes / 1024));
	}
	if (seen->certificate) {
		now |= AILMENT_BIT(AILMENT_CERTIFICATE);
		text[AILMENT_CERTIFICATE] = *seen->certificate;
	}
	if (!seen->clock_kept && seen->clock_asked) {
		now |= AILMENT_BIT(AILMENT_CLOCK_FREE);
		(void)fail(OK, &text[AILMENT_CLOCK_FREE], "nothing keeps the centre's clock: %s",
			seen->clock_words);
	}
	return now;
}

/* A clock that nobody kept from the start is no news. */
static unsigned news(const struct selfcheck *s, unsigned changed)
{
	return s->clock_seen ? changed : changed & ~AILMENT_BIT(AILMENT_CLOCK_FREE);
}

static void put_event(struct event *ev, const struct selfcheck *s, enum ailment a, bool begins)
{
	if (begins) {
		*ev = (struct event){.level = ailment_level(a), .kind = "centre.unwell"};
		(void)fail(OK, &ev->text, "%s: %.200s", ailment_name(a), s->text[a].text);
	} else {
		*ev = (struct event){.level = LOG_INFO, .kind = "centre.recovered"};
		(void)fail(OK, &ev->text, "%s: it is over", ailment_name(a));
	}
}

static void log_one(const struct event *ev)
{
	log_event(ev->level, ev->kind, "text", ev->text.text, NULL);
}

static void log_changes(const struct selfcheck *s, unsigned begun, unsigned over)
{
	for (int i = 0; i < AILMENTS; i++) {
		struct event ev;
		if (!((begun | over) & AILMENT_BIT(i)))
			continue;
		put_event(&ev, s, (enum ailment)i, begun & AILMENT_BIT(i));
		log_one(&ev);
	}
}

/* What began and ended while the store was away is told by two events. */
static void store_changes(struct selfcheck *s, struct store *st)
{
	struct event evs[2 * AILMENTS];
	struct reason why;
	size_t n = 0;

	for (int i = 0; i < AILMENTS; i++) {
		if (s->begun & AILMENT_BIT(i))
			put_event(&evs[n++], s, (enum ailment)i, true);
		if (s->over & AILMENT_BIT(i))
			put_event(&evs[n++], s, (enum ailment)i, false);
	}
	if (n > 0 && store_events_add(st, evs, n, &why) == OK)
		s->begun = s->over = 0;
}

void selfcheck_look(struct selfcheck *s, const struct selfcheck_seen *seen, struct store *st)
{
	struct reason text[AILMENTS] = {{""}};
	unsigned now = find(seen, s->now, text);
	unsigned begun = news(s, now & ~s->now), over = news(s, s->now & ~now);

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < AILMENTS; i++) {
		if (now & ~s->now & AILMENT_BIT(i))
			s->since_us[i] = seen->wall_us;
		if (now & AILMENT_BIT(i))
			s->text[i] = text[i];
	}
	s->now = now;
	pthread_mutex_unlock(&s->lock);
	s->clock_seen = s->clock_seen || seen->clock_asked;
	log_changes(s, begun, over);
	s->over = (s->over & ~begun) | over;
	s->begun |= begun;
	if (!seen->store_failed)
		store_changes(s, st);
}

void selfcheck_each(struct selfcheck *s, selfcheck_each_fn *each, void *ctx)
{
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < AILMENTS; i++)
		if (s->now & AILMENT_BIT(i))
			each(ctx, (enum ailment)i, s->since_us[i], span_of(s->text[i].text));
	pthread_mutex_unlock(&s->lock);
}
