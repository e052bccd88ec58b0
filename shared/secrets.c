#include "shared/secrets.h"

#include <string.h>

#include "shared/hash.h"

struct span secrets_at(const char *text, unsigned i)
{
	if (!text)
		return (struct span){"", 0};
	for (; i > 0 && *text; i--) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return (struct span){text, strcspn(text, "\n")};
}

bool secrets_have(const char *text, struct span given)
{
	bool found = false;

	for (unsigned i = 0; i < SECRETS_MAX; i++) {
		struct span secret = secrets_at(text, i);
		bool same = secret.len > 0 && hash_same_secret(given, secret);

		found = found || same;
	}
	return found;
}
