/*
 * fault - the k-th call to what lies beneath fails: SQLite's files, by a VFS that stands before the system's, and
 * memory, that of SQLite and cJSON by their hooks, that of the program by the linker's --wrap (malloc, calloc, realloc,
 * strdup: the test that wraps them asks fault_strikes()).
 *
 * One fault at a time, for the whole process, which has one thread.
 */
#ifndef TESTS_SUPPORT_FAULT_H
#define TESTS_SUPPORT_FAULT_H

#include <stdbool.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_IO,    /* any call to a file: an input/output error */
	FAULT_SHORT, /* a write that ends halfway, with such an error */
	FAULT_FULL,  /* a write, or the growth of the shared index: no room */
	FAULT_MEMORY,
};
#define FAULT_KINDS 5
extern const char *const fault_names[FAULT_KINDS];

/* Once, before anything else touches SQLite. */
void fault_install(void);
/* From now on the k-th call that the kind concerns fails, k from 1; `ever`: and all after it. */
void fault_arm(enum fault_kind kind, unsigned k, bool ever);
/* No more.  Returns how many such calls there were since it was armed. */
unsigned fault_heal(void);
/* Did it come about?  Still known after healing. */
bool fault_hit(void);
/* A call of the kind: true: it is to fail. */
bool fault_strikes(enum fault_kind kind);

#endif
