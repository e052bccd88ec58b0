#include "local/settings.h"
#include "tests/fuzz/settings.h"
