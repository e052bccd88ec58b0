#include "shared/position.h"

#include <string.h>

#include "shared/entropy.h"

bool epoch_is_none(const struct epoch *e)
{
	return e->hex[0] == '\0';
}

bool epoch_equal(const struct epoch *a, const struct epoch *b)
{
	return strcmp(a->hex, b->hex) == 0;
}

bool epoch_parse(struct span text, struct epoch *ret)
{
	if (text.len != 0 && text.len != 32)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!(text.at[i] >= '0' && text.at[i] <= '9') && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
			return false;
	*ret = (struct epoch){0};
	for (size_t i = 0; i < text.len; i++)
		ret->hex[i] = text.at[i];
	return true;
}

struct epoch epoch_new(void)
{
	struct epoch e = {""};

	entropy_hex(e.hex);
	return e;
}

bool position_equal(struct position a, struct position b)
{
	return a.seq == b.seq && hash_equal(a.head, b.head);
}

void position_encode(struct position p, struct buf *out)
{
	char hex[33];

	hash_hex(p.head, hex);
	buf_u64(out, p.seq);
	buf_char(out, '.');
	buf_text(out, hex);
}

bool position_parse(struct span text, struct position *ret)
{
	struct position p;
	size_t seq_len = text.len > 33 ? text.len - 33 : 0;

	if (seq_len == 0 || text.at[seq_len] != '.')
		return false;
	if (!span_to_u64((struct span){text.at, seq_len}, INT64_MAX, &p.seq) ||
		!hash_parse((struct span){text.at + seq_len + 1, 32}, &p.head))
		return false;
	if (p.seq == 0 && !hash_is_none(p.head))
		return false;
	*ret = p;
	return true;
}
