/*
 * log - one line per event on standard error: level event key=value …
 *
 * The event is a literal that the documents list; operators and tests wait for it.
 * logfmt or JSON.  Values are escaped; no secret is ever logged.  Thread-safe.  Where standard error is the journal's
 * ($JOURNAL_STREAM), a line begins with its priority, <3> to <7>, which the journal takes off.
 */
#ifndef SHARED_LOG_H
#define SHARED_LOG_H

#include <stdint.h>

#include "shared/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_init(enum log_level least, int json);    /* before any thread */
void log_set(enum log_level least, int json);     /* later, from any thread */
enum log_level log_level_parse(const char *name); /* "error" … "debug" */
const char *log_level_name(enum log_level level);

/* Ends with a NULL key: log_event(LOG_INFO, "node.state", "node", name, "state", word, NULL). Values are
 * texts. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* For numbers inside a log_event() call: a text that lives to the end of the full expression's block. */
struct log_text {
	char text[32];
};
struct log_text log_i64(int64_t n);
#define LOG_I64(n) (log_i64(n).text)

#endif
