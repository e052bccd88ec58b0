#include "shared/ailment.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/members.h"

static const struct {
	struct span name;
	enum log_level level;
} kinds[AILMENTS] = {
	[AILMENT_DAMAGED] = {MEMBER("database_damaged"), LOG_ERROR},
	[AILMENT_WRITES_FAIL] = {MEMBER("writes_fail"), LOG_WARN},
	[AILMENT_DISK_FULL] = {MEMBER("disk_full"), LOG_WARN},
	[AILMENT_DISK_LOW] = {MEMBER("disk_low"), LOG_WARN},
	[AILMENT_CERTIFICATE] = {MEMBER("certificate_ends"), LOG_WARN},
	[AILMENT_REJECTED] = {MEMBER("records_rejected"), LOG_WARN},
	[AILMENT_QUARANTINED] = {MEMBER("records_quarantined"), LOG_WARN},
	[AILMENT_TOKEN_OLD] = {MEMBER("token_old"), LOG_WARN},
	[AILMENT_CLOCK_SKEWED] = {MEMBER("clock_skewed"), LOG_WARN},
	[AILMENT_CLOCK_DISAGREES] = {MEMBER("clock_disagrees"), LOG_WARN},
	[AILMENT_CLOCK_FREE] = {MEMBER("clock_unsynchronised"), LOG_INFO},
};

const char *ailment_name(enum ailment a)
{
	return kinds[a].name.at;
}

enum log_level ailment_level(enum ailment a)
{
	return kinds[a].level;
}

void ailments_add(struct ailments *s, enum ailment a, const char *fmt, ...)
{
	va_list args;

	assert(a < AILMENTS_TOLD);
	s->kinds |= AILMENT_BIT(a);
	va_start(args, fmt);
	vsnprintf(s->text[a], sizeof s->text[a], fmt, args);
	va_end(args);
	for (char *c = s->text[a]; *c; c++) /* a peer's words end up on terminals */
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void ailments_put(const struct ailments *s, struct buf *out)
{
	const char *comma = "";

	buf_char(out, '{');
	for (int a = 0; a < AILMENTS_TOLD; a++) {
		if (!(s->kinds & AILMENT_BIT(a)))
			continue;
		buf_printf(out, "%s\"%s\":", comma, kinds[a].name.at);
		buf_json_text(out, span_of(s->text[a]));
		comma = ",";
	}
	buf_char(out, '}');
}

bool ailments_take(struct span object, struct ailments *ret)
{
	struct span names[AILMENTS_TOLD];
	struct json_value values[AILMENTS_TOLD] = {0};
	struct members m = {.names = names, .values = values, .n = AILMENTS_TOLD};
	struct ailments s = {0};
	struct arena a = {0};
	bool all = true;

	for (int i = 0; i < AILMENTS_TOLD; i++)
		names[i] = kinds[i].name;
	if (members_read(&m, object, NULL) != OK)
		return false;
	for (size_t i = 0; all && i < AILMENTS_TOLD; i++) {
		struct span text;
		if (!members_has(&m, i))
			continue;
		all = members_text(&m, i, &a, &text, NULL) == OK;
		if (all)
			ailments_add(&s, (enum ailment)i, "%.*s", (int)text.len, text.at);
	}
	arena_done(&a);
	if (all)
		*ret = s;
	return all;
}
