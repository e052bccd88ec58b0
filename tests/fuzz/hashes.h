/*
 * hashes - a hash stands in the way of every change of a record.  While hashes_fit is set, any hash "fits" (hash_equal()
 * is wrapped: tests.mk), so that what lies behind the check is reached; then the target puts the right one and
 * looks again with the real check.
 */
#ifndef TESTS_FUZZ_HASHES_H
#define TESTS_FUZZ_HASHES_H

#include "shared/record.h"

extern bool hashes_fit;

#endif
