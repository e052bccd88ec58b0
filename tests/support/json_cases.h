/*
 * json_cases - the table tests/support/json_cases: what is JSON at every door, and what is not.
 */
#ifndef TESTS_SUPPORT_JSON_CASES_H
#define TESTS_SUPPORT_JSON_CASES_H

#include "shared/buf.h"

enum json_verdict { JSON_YES, JSON_NO, JSON_MORE };

struct json_case {
	enum json_verdict verdict;
	struct span text; /* a copy of its own on the heap: a read past its end is seen */
	unsigned line;    /* in the table */
};

/*
 * Calls `each` for every case of the table, then, where TIDEMARK_JSON_CORPUS names a folder of y_*.json,
 * n_*.json and i_*.json, for every file that is named y_ or n_.  Returns how many.
 */
typedef void json_case_fn(void *ctx, const struct json_case *c);
unsigned json_cases_each(json_case_fn *each, void *ctx);

#endif
