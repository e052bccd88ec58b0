/* statements - SQL as it is made at build from sql/: texts and their names. */
#ifndef SHARED_STATEMENTS_H
#define SHARED_STATEMENTS_H

#include <stddef.h>

struct statements {
	const char *const *text;
	const char *const *name;
	size_t n;
};

#endif
