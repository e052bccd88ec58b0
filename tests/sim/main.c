/*
 * sim - runs worlds, two a seed, until one fails.  See tests/README.md.
 */
#include "tests/sim/campaign.h"

int main(int argc, char **argv)
{
	struct wish wish = wish_read(argv);

	(void)argc;
	return campaign_run(&wish);
}
