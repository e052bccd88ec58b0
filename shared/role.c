#include "shared/role.h"

static const char *const NAMES[] = {
	[ROLE_NONE] = "none", [ROLE_VIEWER] = "viewer", [ROLE_OPERATOR] = "operator", [ROLE_ADMIN] = "admin"};

const char *role_name(enum role r)
{
	return NAMES[r];
}

bool role_parse(struct span text, enum role *ret)
{
	for (unsigned i = ROLE_VIEWER; i <= ROLE_ADMIN; i++)
		if (span_is(text, NAMES[i])) {
			*ret = (enum role)i;
			return true;
		}
	return false;
}
