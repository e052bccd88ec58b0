#include "shared/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/utf8.h"

const char *err_name(enum err e)
{
	switch (e) {
	case OK:
		return "ok";
	case RETRY:
		return "retry";
	case UNCERTAIN:
		return "uncertain";
	case INVALID:
		return "invalid";
	case GONE:
		return "gone";
	case DENIED:
		return "denied";
	case CONFLICT:
		return "conflict";
	case INTERNAL:
		return "internal";
	}
	return "unknown";
}

enum err(fail)(enum err e, struct reason *why, const char *fmt, ...)
{
	if (why) {
		/* By way of a second text: `why` may be among its own arguments, to be wrapped. */
		struct reason text;
		va_list args;
		va_start(args, fmt);
		vsnprintf(text.text, sizeof text.text, fmt, args);
		va_end(args);
		utf8_mask(text.text);
		*why = text;
	}
	return e;
}

void err_out_of_memory(void)
{
	static const char words[] =
		"out of memory: the program ends; nothing that was acknowledged is lost, start it again\n";
	ssize_t n = write(STDERR_FILENO, words, sizeof words - 1);
	(void)n;
	abort();
}
