/* role - how much somebody may do: each role may do what those before it may. */
#ifndef SHARED_ROLE_H
#define SHARED_ROLE_H

#include <stdbool.h>

#include "shared/buf.h"

enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

const char *role_name(enum role r); /* "none", "viewer", "operator", "admin" */
/* Of "viewer", "operator" or "admin"; else false. */
bool role_parse(struct span text, enum role *ret);

#endif
