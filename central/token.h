/*
 * token - the bearer tokens of a node, derived from the centre's secret, so that none is stored.
 *
 * A node's token changes with its rotation and with the secret.  Until the node has the new one, it is shown the one before:
 *
 *   newest ──401──► the one before, in the same turn ──taken──► shown from now on, and the newest again every
 *     │                     │                                   token_again_us() and whenever there is a newer one
 *     └──taken──► no other  └──401──► the attempt failed; the next one tries the next older one after the newest
 *
 * So an attempt is two requests at most; three where the node changes its token between them, which the one before being
 * refused all of a sudden tells.  A node that took the newest is not shown an older one again in this run.  Pure.
 */
#ifndef CENTRAL_TOKEN_H
#define CENTRAL_TOKEN_H

#include "central/node.h"
#include "shared/secrets.h"

/*
 * Those that the node may have, the newest first: of the secret and of the one before it, of the node's rotation and of the one
 * before it.  None without a secret (NULL or "").
 */
#define TOKENS_MAX 4
struct tokens {
	char at[TOKENS_MAX][65];
	unsigned n;
};
void tokens_of_node(const char *secrets, const struct node *n, struct tokens *ret);

/* The newest; "" when there is no secret. */
void token_of_node(const char *secrets, const struct node *n, char ret[65]);

/* A token's beginning, which tells it from others and is of no use to anybody.  "" = none. */
struct token_mark {
	char hex[17];
};

/* What this run knows of a node's tokens.  A zeroed struct knows nothing. */
struct token_memory {
	struct token_mark taken;  /* the one that it took last; "" = not known */
	struct token_mark newest; /* as it was when last shown */
	struct token_mark shown;  /* now */
	int64_t newest_us;        /* monotonic: when it was shown last */
	unsigned tried;           /* of the older ones, while none is known to be taken */
	bool second, other;       /* this is the attempt's second; there is another to try */
	bool again;               /* the next is the second */
};
/* How long a node that takes an older one is not asked whether it takes the newest: ten intervals, from a second to a minute. */
int64_t token_again_us(int64_t interval_ms);
/* Which to show now. */
void token_choose(
	const struct tokens *t, int64_t now_us, int64_t again_us, struct token_memory *m, char ret[65]);
/* The node refused it.  True: ask again at once, with another; false: this attempt has failed. */
bool token_refused(struct token_memory *m);
/* The node took it. */
enum node_token token_taken(struct token_memory *m);

#endif
