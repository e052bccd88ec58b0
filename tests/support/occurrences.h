/*
 * occurrences - how often a text has a part, overlapping ones too.
 */
#ifndef TESTS_SUPPORT_OCCURRENCES_H
#define TESTS_SUPPORT_OCCURRENCES_H

#include <string.h>

static inline unsigned occurrences(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

#endif
