/* The settings of the local: what is taken is printed, and that is taken as the same. */
#include "local/settings.h"
#include "tests/fuzz/settings.h"
