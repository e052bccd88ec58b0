/*
 * chrony_private - what the parts of chrony share.
 */
#ifndef SHARED_CHRONY_PRIVATE_H
#define SHARED_CHRONY_PRIVATE_H

#include "shared/chrony.h"

/* Characters that need no escape anywhere, at most CHRONY_SOURCE_MAX of them; none is fine. */
bool chrony_source_ok(struct span s);

#endif
