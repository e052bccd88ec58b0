/*
 * privilege - what a daemon gives up before it reads a secret, so that less is lost with it when somebody gets in or it crashes.
 */
#ifndef SHARED_PRIVILEGE_H
#define SHARED_PRIVILEGE_H

#include <stdbool.h>

struct privilege {
	bool core_dumps; /* stays able to write them, and to be looked into by others of its user: they hold secrets */
	bool children; /* programs that it runs may gain more than it has, as sendmail does, by the mode of their file */
};

/*
 * Before any thread, and before secrets are read.  What it makes from now on only its user can read; unless kept, its memory goes
 * into no core dump and no debugger but root's, and neither it nor what it runs gains a right any more.
 */
void privilege_drop(const struct privilege *keep);

/* The same without core dumps and with the user's umask: of a command that is run for what it prints or writes. */
void privilege_hide(void);

/* Logs a warning where it runs as root, for which there is no need. */
void privilege_tell(void);

#endif
