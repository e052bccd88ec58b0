#include "central/settings.h"
#include "tests/fuzz/settings.h"
