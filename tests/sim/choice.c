#include "tests/sim/choice.h"

#include <stdio.h>
#include <stdlib.h>

bool choice_has(const struct choice *c, unsigned step)
{
	return step < CHOICE_MAX && c->has[step];
}

void choice_put(struct choice *c, unsigned from, unsigned to, bool has)
{
	for (unsigned i = from; i <= to && i < CHOICE_MAX; i++)
		c->has[i] = has;
}

bool choice_read(struct choice *c, const char *text)
{
	while (*text != '\0') {
		char *end;
		unsigned long from = strtoul(text, &end, 10), to = from;

		if (end == text)
			return false;
		if (*end == '-') {
			text = end + 1;
			to = strtoul(text, &end, 10);
			if (end == text)
				return false;
		}
		if (*end != ',' && *end != '\0')
			return false;
		choice_put(c, (unsigned)from, (unsigned)to, true);
		text = end + (*end == ',');
	}
	return true;
}

void choice_write(const struct choice *c, unsigned steps, char *to, size_t size)
{
	size_t len = 0;

	*to = '\0';
	for (unsigned i = 1; i <= steps && len < size; i++) {
		unsigned from = i;

		if (!choice_has(c, i))
			continue;
		while (i < steps && choice_has(c, i + 1))
			i++;
		len += (size_t)snprintf(to + len, size - len, "%s%u", len > 0 ? "," : "", from);
		if (i > from && len < size)
			len += (size_t)snprintf(to + len, size - len, "-%u", i);
	}
}

unsigned choice_count(const struct choice *c, unsigned steps)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= steps; i++)
		n += choice_has(c, i);
	return n;
}
