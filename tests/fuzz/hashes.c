#include "tests/fuzz/hashes.h"

bool hashes_fit;

bool __real_hash_equal(struct hash a, struct hash b);
bool __wrap_hash_equal(struct hash a, struct hash b);

bool __wrap_hash_equal(struct hash a, struct hash b)
{
	return hashes_fit || __real_hash_equal(a, b);
}
