/*
 * trace - what happened, line by line: the last lines to show, and a hash of all to compare runs by.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdint.h>
#include <stdio.h>

#include "shared/err.h"

void trace_begin(FILE *also); /* NULL: kept only */
void trace_line(const char *fmt, ...) PRINTF(1, 2);
/* Kept and shown, but no part of what runs are compared by. */
void trace_aside(const char *fmt, ...) PRINTF(1, 2);
void trace_show(FILE *to); /* the last lines */
uint64_t trace_hash(void);

#endif
