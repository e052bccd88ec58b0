/* The settings of the centre: what is taken is printed, and that is taken as the same. */
#include "central/settings.h"
#include "tests/fuzz/settings.h"
