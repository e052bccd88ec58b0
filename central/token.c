#include "central/token.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void token_of_node(const char *secret, const struct node *n, char ret[65])
{
	char label[RECORD_OWNER_MAX + 32];
	ret[0] = 0;
	if (!secret || !*secret)
		return;
	int len = snprintf(label, sizeof label, "node:%s:%" PRIu64, n->name, n->rotation);
	assert(len > 0 && (size_t)len < sizeof label);
	hash_derive_token(span_of(secret), label, ret);
}
