/*
 * address - where a node may live: the form of its URL, and the networks the centre will connect to.
 *
 * A centre that is told a URL connects to it with a token in its hand, so only networks that were named are
 * allowed; the rule is applied to literal addresses when a node is added and to the real socket address
 * whenever one is opened (transfer.h), so a name that resolves elsewhere is refused as well.  Whatever was named:
 * no node has a multicast, broadcast or unspecified address, nor the centre's own; and loopback and link-local
 * addresses (where clouds keep their secrets) are only allowed by a network that lies within these.
 * Pure, but that a centre that listens on all addresses asks which ones this machine has.  A const list may be
 * shared by threads.
 */
#ifndef CENTRAL_ADDRESS_H
#define CENTRAL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/err.h"

struct sockaddr;

/* IPv4 stands inside IPv6 as ::ffff:a.b.c.d, so that both are one rule. */
struct network {
	unsigned char at[16];
	unsigned bits;
};

#define ADDRESS_HOST_MAX 255

#define NETWORKS_MAX 64
struct networks {
	struct network at[NETWORKS_MAX];
	size_t n;
	struct { /* where the centre listens; port 0: not known */
		unsigned char at[16];
		unsigned port;
		bool any; /* on all addresses of the machine */
	} self;
	bool plain_http; /* also beyond loopback: tokens and records travel in the clear there */
};

enum address_verdict {
	ADDRESS_ALLOWED,
	ADDRESS_OUTSIDE, /* in no network that was named */
	ADDRESS_APART,   /* loopback or link-local: only a larger network was named */
	ADDRESS_NEVER,
	ADDRESS_SELF,
};
const char *address_words(enum address_verdict v); /* what follows "its address" */

/* "10.0.0.0/8", "fd00::/8"; an address alone is itself.  INVALID: not one, or too many. */
enum err networks_add(struct networks *ns, const char *cidr, struct reason *why) MUST_USE;
void networks_add_loopback(struct networks *ns); /* 127.0.0.0/8 and ::1 */
void networks_set_self(struct networks *ns, const struct sockaddr *listening);
enum address_verdict networks_judge(const struct networks *ns, const struct sockaddr *address);
/* "127.0.0.1", "::1"; of an open connection, so without its port */
enum address_verdict networks_judge_text(const struct networks *ns, const char *address);
/* May a request go there without TLS? */
bool networks_allow_plain(const struct networks *ns, const struct sockaddr *address);
bool networks_allow_plain_text(const struct networks *ns, const char *address);

/*
 * http[s]://HOST[:PORT][/PREFIX] without user, query, fragment or blanks.  INVALID: another form;
 * DENIED: a literal address (or `localhost`) that is not allowed, http:// beyond loopback where that is not allowed.  Other
 * names are judged again when they are resolved.
 */
enum err node_url_check(const struct networks *ns, const char *url, struct reason *why) MUST_USE;
/*
 * The host of such a URL, where it is a name that has to be looked up, and the port.  False: an
 * address (or `localhost`).
 */
bool node_url_name(const char *url, char ret[ADDRESS_HOST_MAX + 1], unsigned *ret_port) MUST_USE;
/* Does such a URL lead to this machine, without looking a name up? */
bool node_url_is_loopback(const char *url);
/* "192.0.2.1,[2001:db8::1]": the first of them */
bool addresses_are_loopback(const char *list);
/*
 * Where notifications go: http[s]://HOST[:PORT][/PATH[?QUERY]] without user, fragment or blanks, in whatever network: whoever
 * starts the program names it.  *ret_origin: the part before the path.
 */
enum err hook_url_check(const char *url, size_t *ret_origin, struct reason *why) MUST_USE;

#endif
