#include "central/listing.h"

#include "shared/page.h"
#include "shared/utf8.h"

void listing_begin(struct listing *g, const char *name, unsigned limit, struct buf *out)
{
	*g = (struct listing){.out = out, .limit = limit};
	buf_text(out, "{");
	buf_json_text(out, span_of(name));
	buf_text(out, ":[");
}

bool listing_room(struct listing *g)
{
	if (g->n == g->limit || g->out->len > PAGE_BYTES_DEFAULT) {
		g->more = true;
		return false;
	}
	if (g->n++ > 0)
		buf_char(g->out, ',');
	return true;
}

void listing_end_number(struct listing *g, uint64_t last)
{
	buf_text(g->out, "],\"next\":");
	if (g->more)
		buf_u64(g->out, last);
	else
		buf_text(g->out, "null");
	buf_char(g->out, '}');
}

void listing_end_key(struct listing *g, struct span owner, struct span id)
{
	buf_text(g->out, "],\"next\":");
	if (g->more) { /* neither has a character that JSON would escape */
		buf_char(g->out, '"');
		buf_put(g->out, owner);
		buf_char(g->out, '/');
		buf_put(g->out, id);
		buf_char(g->out, '"');
	} else {
		buf_text(g->out, "null");
	}
	buf_char(g->out, '}');
}

static void add_text(struct buf *out, const char *key, struct span value)
{
	buf_text(out, key);
	if (value.at)
		buf_json_text(out, value);
	else
		buf_text(out, "null");
}

static void add_json(struct buf *out, const char *key, struct span value)
{
	buf_text(out, key);
	buf_put(out, value.at ? value : span_of("null"));
}

static void add_time(struct buf *out, const char *key, int64_t us)
{
	buf_text(out, key);
	buf_json_time(out, us);
}

static void add_head(struct buf *out, uint64_t id, int64_t at_us)
{
	buf_text(out, "{\"id\":");
	buf_u64(out, id);
	buf_text(out, ",\"at\":\"");
	buf_time(out, at_us);
	buf_char(out, '"');
}

bool listing_is_move(const struct listed_event *e)
{
	return span_is(e->kind, "pulled") || span_is(e->kind, "pushed");
}

void listing_put_event(struct buf *out, const struct listed_event *e)
{
	add_head(out, e->id, e->at_us);
	add_text(out, ",\"level\":", span_of(log_level_name(e->level)));
	add_text(out, ",\"kind\":", e->kind);
	add_text(out, ",\"node\":", e->node);
	add_text(out, ",\"text\":", e->text);
	add_text(out, ",\"who\":", e->who);
	add_text(out, ",\"address\":", e->address);
	add_json(out, ",\"before\":", e->before);
	add_json(out, ",\"after\":", e->after);
	buf_char(out, '}');
}

void listing_event(struct listing *g, const struct listed_event *e)
{
	listing_put_event(g->out, e);
}

void listing_conflict(struct listing *g, const struct listed_conflict *c)
{
	add_head(g->out, c->id, c->at_us);
	add_text(g->out, ",\"owner\":", c->record.owner);
	add_text(g->out, ",\"record_id\":", c->record.id);
	add_text(g->out, ",\"why\":", c->why);
	buf_text(g->out, ",\"record\":");
	record_encode(&c->record, g->out);
	buf_char(g->out, '}');
}

/* A line may hold any byte: what is of no character becomes U+FFFD, so that the list is JSON. */
static void add_line(struct buf *out, struct span line)
{
	struct buf text = {0};

	for (size_t i = 0, step; i < line.len; i += step) {
		step = utf8_length(line.at + i, line.len - i);
		if (step > 0)
			buf_add(&text, line.at + i, step);
		else
			buf_text(&text, "\xef\xbf\xbd");
		step += step == 0;
	}
	buf_text(out, ",\"line\":");
	buf_json_text(out, buf_span(&text));
	buf_done(&text);
}

void listing_quarantine(struct listing *g, const struct listed_quarantine *l)
{
	char hex[33];

	hash_hex(l->hash, hex);
	add_head(g->out, l->id, l->at_us);
	add_text(g->out, ",\"owner\":", l->owner);
	add_text(g->out, ",\"record_id\":", l->record_id);
	buf_printf(g->out, ",\"hash\":\"%s\",\"seq\":%llu,\"held\":%s", hex, (unsigned long long)l->seq,
		l->held ? "true" : "false");
	add_text(g->out, ",\"reason\":", l->why);
	buf_printf(g->out, ",\"attempts\":%llu", (unsigned long long)l->attempts);
	add_time(g->out, ",\"tried_at\":", l->tried_us);
	add_line(g->out, l->line);
	buf_char(g->out, '}');
}

static const char *const outcomes[] = {"under_way", "delivered", "abandoned"};

void listing_delivery(struct listing *g, const struct listed_delivery *d)
{
	struct buf *out = g->out;

	add_head(out, d->id, d->begun_us);
	add_text(out, ",\"receiver\":", d->receiver);
	buf_printf(out, ",\"first\":%llu,\"last\":%llu,\"events\":%llu,\"dropped\":%llu,\"attempts\":%llu",
		(unsigned long long)d->first, (unsigned long long)d->last, (unsigned long long)d->notices,
		(unsigned long long)d->dropped, (unsigned long long)d->attempts);
	add_text(out, ",\"outcome\":", span_of(outcomes[d->outcome]));
	add_time(out, ",\"tried_at\":", d->tried_us);
	buf_text(out, ",\"took_ms\":");
	if (d->tried_us < 0)
		buf_text(out, "null");
	else
		buf_printf(out, "%.3f", (double)d->took_us / 1000);
	add_text(out, ",\"answer\":", d->answer.len > 0 ? d->answer : (struct span){0});
	buf_char(out, '}');
}
