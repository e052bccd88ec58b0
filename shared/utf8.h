/* utf8 - characters of UTF-8.  Pure; thread-safe. */
#ifndef SHARED_UTF8_H
#define SHARED_UTF8_H

#include <stddef.h>
#include <string.h>

/* How many bytes the character at the front takes; 0 = none, or not UTF-8 (overlong, surrogate, cut, too
 * high). */
static inline size_t utf8_length(const char *text, size_t left)
{
	const unsigned char *at = (const unsigned char *)text;
	if (left == 0)
		return 0;
	if (at[0] < 0x80)
		return 1;
	/* The second byte's range depends on the first (Unicode, table 3-7); all later ones are 80…BF. */
	unsigned char low = 0x80, high = 0xbf;
	size_t len;
	if (at[0] >= 0xc2 && at[0] <= 0xdf) {
		len = 2;
	} else if ((at[0] & 0xf0) == 0xe0) {
		len = 3;
		low = at[0] == 0xe0 ? 0xa0 : low;
		high = at[0] == 0xed ? 0x9f : high;
	} else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
		len = 4;
		low = at[0] == 0xf0 ? 0x90 : low;
		high = at[0] == 0xf4 ? 0x8f : high;
	} else {
		return 0;
	}
	if (left < len || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* '?' in place of every byte that is of no character, such as what is left of one that was cut. */
static inline void utf8_mask(char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0, step; i < len; i += step) {
		step = utf8_length(text + i, len - i);
		if (step == 0) {
			text[i] = '?';
			step = 1;
		}
	}
}

/* '?' in place of every control character, also of U+0080…9F: what a terminal would obey. */
static inline void utf8_tame(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (c[0] < 0x20 || c[0] == 0x7f)
			*c = '?';
		else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[0] = c[1] = '?';
	}
}

#endif
