/* own_clock - what the clock of this machine, the centre's, claims of itself.  Any thread. */
#ifndef CENTRAL_OWN_CLOCK_H
#define CENTRAL_OWN_CLOCK_H

#include "central/offset.h"

/* A chronyd that serves its own time is right by definition: those that follow it should agree with it. */
struct offset_claim own_clock_claim(void);

#endif
