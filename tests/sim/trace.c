#include "tests/sim/trace.h"

#include <stdarg.h>
#include <string.h>

#define KEPT 60

/* One world at a time, and a signal handler must reach the lines. */
static struct {
	char line[KEPT][300];
	unsigned n;
	uint64_t hash;
	FILE *also;
} trace;

void trace_begin(FILE *also)
{
	trace.n = 0;
	trace.hash = UINT64_C(0xcbf29ce484222325);
	trace.also = also;
}

static const char *add(const char *fmt, va_list ap)
{
	char *line = trace.line[trace.n++ % KEPT];

	vsnprintf(line, sizeof trace.line[0], fmt, ap);
	if (trace.also != NULL)
		fprintf(trace.also, "%s\n", line);
	return line;
}

void trace_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (const char *c = add(fmt, ap); *c != '\0'; c++)
		trace.hash = (trace.hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	va_end(ap);
}

void trace_aside(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)add(fmt, ap);
	va_end(ap);
}

void trace_show(FILE *to)
{
	for (unsigned i = trace.n > KEPT ? trace.n - KEPT : 0; i < trace.n; i++)
		fprintf(to, "  %s\n", trace.line[i % KEPT]);
}

uint64_t trace_hash(void)
{
	return trace.hash;
}
