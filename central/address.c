#include "central/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static void map_v4(const struct in_addr *a, unsigned char ret[16])
{
	memset(ret, 0, 10);
	ret[10] = ret[11] = 0xff;
	memcpy(ret + 12, a, 4);
}

/* Returns how many bits precede the address's own (96 for IPv4), or -1. */
static int parse_literal(const char *text, unsigned char ret[16])
{
	struct in_addr v4;
	if (inet_pton(AF_INET, text, &v4) == 1) {
		map_v4(&v4, ret);
		return 96;
	}
	return inet_pton(AF_INET6, text, ret) == 1 ? 0 : -1;
}

enum err networks_add(struct networks *ns, const char *cidr, struct reason *why)
{
	char text[64];
	const char *slash = strchr(cidr, '/');
	size_t len = slash ? (size_t)(slash - cidr) : strlen(cidr);
	struct network net;
	if (len >= sizeof text)
		return fail(INVALID, why, "%.40s…: not a network", cidr);
	memcpy(text, cidr, len);
	text[len] = 0;
	int before = parse_literal(text, net.at);
	if (before < 0)
		return fail(INVALID, why, "%s: not a network such as 10.0.0.0/8 or fd00::/8", cidr);
	net.bits = 128;
	if (slash) {
		char *end;
		unsigned long bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || bits > 128 - (unsigned long)before)
			return fail(INVALID, why, "%s: the part after / is no length of a network", cidr);
		net.bits = (unsigned)bits + (unsigned)before;
	}
	if (ns->n == NETWORKS_MAX)
		return fail(INVALID, why, "more than %d networks", NETWORKS_MAX);
	ns->at[ns->n++] = net;
	return OK;
}

void networks_add_loopback(struct networks *ns)
{
	struct reason why;
	enum err e = networks_add(ns, "127.0.0.0/8", &why);
	if (e == OK)
		e = networks_add(ns, "::1/128", &why);
	(void)e; /* a full list allows less, never more */
}

static bool network_has(const struct network *net, const unsigned char a[16])
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	if (memcmp(net->at, a, whole) != 0)
		return false;
	return rest == 0 || (net->at[whole] ^ a[whole]) >> (8 - rest) == 0;
}

/* IPv4 is ::ffff:a.b.c.d. */
#define V4(a, b, c, d)                                                       \
	{                                                                    \
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (a), (b), (c), (d) \
	}
static const struct network never[] = {{V4(0, 0, 0, 0), 96 + 8}, {V4(224, 0, 0, 0), 96 + 4},
	{V4(255, 255, 255, 255), 128}, {{0}, 128}, {{0xff}, 8}};
static const struct network apart[] = {
	{V4(127, 0, 0, 0), 96 + 8}, {V4(169, 254, 0, 0), 96 + 16}, {{[15] = 1}, 128}, {{0xfe, 0x80}, 10}};

/* Which of the list has it; NULL: none. */
static const struct network *find_network(const struct network *list, size_t n, const unsigned char a[16])
{
	for (size_t i = 0; i < n; i++)
		if (network_has(&list[i], a))
			return &list[i];
	return NULL;
}
#define FIND(list, a) find_network((list), sizeof(list) / sizeof *(list), (a))

static enum address_verdict judge_bytes(const struct networks *ns, const unsigned char a[16])
{
	const struct network *within = FIND(apart, a);
	enum address_verdict v = ADDRESS_OUTSIDE;
	if (FIND(never, a))
		return ADDRESS_NEVER;
	for (size_t i = 0; i < ns->n; i++) {
		if (!network_has(&ns->at[i], a))
			continue;
		if (!within || ns->at[i].bits >= within->bits)
			return ADDRESS_ALLOWED;
		v = ADDRESS_APART;
	}
	return v;
}

/* False: neither IPv4 nor IPv6. */
static bool read_address(const struct sockaddr *address, unsigned char ret[16], unsigned *ret_port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	switch (address->sa_family) {
	case AF_INET:
		memcpy(&in, address, sizeof in);
		map_v4(&in.sin_addr, ret);
		*ret_port = ntohs(in.sin_port);
		return true;
	case AF_INET6:
		memcpy(&in6, address, sizeof in6);
		memcpy(ret, &in6.sin6_addr, 16);
		*ret_port = ntohs(in6.sin6_port);
		return true;
	default: /* the system's list, not ours */
		return false;
	}
}

static bool is_loopback(const unsigned char a[16])
{
	return network_has(&apart[0], a) || network_has(&apart[2], a);
}

static bool is_of_this_machine(const unsigned char a[16])
{
	struct ifaddrs *list = NULL;
	bool found = is_loopback(a);
	if (!found && getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		unsigned char at[16];
		unsigned port;
		found = i->ifa_addr && read_address(i->ifa_addr, at, &port) && memcmp(at, a, 16) == 0;
	}
	if (list)
		freeifaddrs(list);
	return found;
}

static bool is_self(const struct networks *ns, const unsigned char a[16], unsigned port)
{
	if (port == 0 || port != ns->self.port)
		return false;
	return ns->self.any ? is_of_this_machine(a) : memcmp(ns->self.at, a, 16) == 0;
}

void networks_set_self(struct networks *ns, const struct sockaddr *listening)
{
	static const struct network zero = {V4(0, 0, 0, 0), 128};
	if (!read_address(listening, ns->self.at, &ns->self.port))
		return;
	ns->self.any = network_has(&zero, ns->self.at) || network_has(&never[3], ns->self.at);
}

enum address_verdict networks_judge(const struct networks *ns, const struct sockaddr *address)
{
	unsigned char a[16];
	unsigned port;
	if (!read_address(address, a, &port))
		return ADDRESS_NEVER;
	return is_self(ns, a, port) ? ADDRESS_SELF : judge_bytes(ns, a);
}

enum address_verdict networks_judge_text(const struct networks *ns, const char *address)
{
	unsigned char a[16];
	return parse_literal(address, a) >= 0 ? judge_bytes(ns, a) : ADDRESS_NEVER;
}

const char *address_words(enum address_verdict v)
{
	switch (v) {
	case ADDRESS_ALLOWED:
		return "is allowed";
	case ADDRESS_OUTSIDE:
		return "is in no allowed network; start the centre with --allow-network";
	case ADDRESS_APART:
		return "is of loopback or link-local, which only an --allow-network within them allows";
	case ADDRESS_NEVER:
		return "is multicast, broadcast or unspecified, where no node can be";
	case ADDRESS_SELF:
		return "is the centre's own";
	}
	return "is unknown";
}

bool networks_allow_plain_text(const struct networks *ns, const char *address)
{
	unsigned char a[16];
	return ns->plain_http || (parse_literal(address, a) >= 0 && is_loopback(a));
}

bool networks_allow_plain(const struct networks *ns, const struct sockaddr *address)
{
	unsigned char a[16];
	unsigned port;
	return ns->plain_http || (read_address(address, a, &port) && is_loopback(a));
}

static bool port_ok(const char *at)
{
	char *end;
	if (*at < '0' || *at > '9')
		return false;
	unsigned long port = strtoul(at, &end, 10);
	return port >= 1 && port <= 65535 && (*end == 0 || *end == '/');
}

/* HOST[:PORT] from `at`; the host without brackets goes to ret. */
static bool split_host(const char *at, char *ret, size_t size)
{
	const char *end;
	if (*at == '[') {
		end = strchr(++at, ']');
		if (!end || (end[1] && end[1] != ':' && end[1] != '/'))
			return false;
	} else {
		end = at + strcspn(at, ":/");
	}
	size_t len = (size_t)(end - at);
	if (len == 0 || len >= size)
		return false;
	memcpy(ret, at, len);
	ret[len] = 0;
	if (*end == ']') {
		struct in6_addr a;
		if (inet_pton(AF_INET6, ret, &a) != 1) /* nothing else stands in brackets */
			return false;
		end++;
	}
	return *end != ':' || port_ok(end + 1);
}

/*
 * Only letters, digits, '-' and '.' can be a name; a name of digits and dots alone is an alias
 * of an address.
 */
static bool name_ok(const char *host)
{
	if (host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")])
		return false;
	return host[strspn(host, "0123456789.")] != 0;
}

/* NULL: another scheme. */
static const char *after_scheme(const char *url)
{
	return !strncmp(url, "http://", 7) ? url + 7 : !strncmp(url, "https://", 8) ? url + 8 : NULL;
}

/* `localhost`, with any name before it and a dot behind it, never leaves the machine. */
static bool is_localhost(const char *host)
{
	size_t len = strlen(host);
	static const char name[] = "localhost";
	len -= len > 0 && host[len - 1] == '.';
	if (len < sizeof name - 1 || strncasecmp(host + len - (sizeof name - 1), name, sizeof name - 1) != 0)
		return false;
	return len == sizeof name - 1 || host[len - sizeof name] == '.';
}

static unsigned port_of(const char *url, const char *rest)
{
	const char *colon = *rest == '[' ? strchr(rest, ']') + 1 : rest + strcspn(rest, ":/");
	return *colon == ':' ? (unsigned)strtoul(colon + 1, NULL, 10) : url[4] == 's' ? 443 : 80;
}

static enum err check_literal(const struct networks *ns, const unsigned char a[16], unsigned port,
	const char *host, struct reason *why)
{
	enum address_verdict v = is_self(ns, a, port) ? ADDRESS_SELF : judge_bytes(ns, a);
	return v == ADDRESS_ALLOWED ? OK : fail(DENIED, why, "%.100s %s", host, address_words(v));
}

static enum err check_plain(
	const struct networks *ns, const char *url, bool loopback, const char *host, struct reason *why)
{
	if (url[4] != ':' || ns->plain_http || loopback)
		return OK;
	return fail(DENIED, why,
		"by http:// the node's token and records would travel in the clear to %.100s; give it a "
		"certificate and an https:// URL, or start the centre with --allow-plain-http if the network "
		"between is safe",
		host);
}

enum err node_url_check(const struct networks *ns, const char *url, struct reason *why)
{
	char host[ADDRESS_HOST_MAX + 1];
	unsigned char literal[16];
	struct in_addr alias;
	const char *rest = after_scheme(url);
	if (!rest)
		return fail(INVALID, why, "the URL does not start with http:// or https://");
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c >= 127 || strchr("@?#\\\"<>", *c))
			return fail(
				INVALID, why, "the URL may hold neither user, query, fragment nor blanks");
	if (!split_host(rest, host, sizeof host))
		return fail(INVALID, why, "the URL is not http://HOST:PORT");
	bool is_literal = parse_literal(host, literal) >= 0;
	if (!is_literal && is_localhost(host))
		is_literal = parse_literal("127.0.0.1", literal) >= 0;
	if (is_literal) {
		enum err e = check_literal(ns, literal, port_of(url, rest), host, why);
		return e == OK ? check_plain(ns, url, is_loopback(literal), host, why) : e;
	}
	if (!name_ok(host) || inet_aton(host, &alias)) /* 0x7f000001 */
		return fail(INVALID, why, "%.100s is neither a name nor an address", host);
	return check_plain(ns, url, false, host, why);
}

bool node_url_name(const char *url, char ret[ADDRESS_HOST_MAX + 1], unsigned *ret_port)
{
	unsigned char literal[16];
	char host[ADDRESS_HOST_MAX + 1];
	const char *rest = after_scheme(url);
	if (!rest || !split_host(rest, host, sizeof host) || parse_literal(host, literal) >= 0 ||
		!strcasecmp(host, "localhost"))
		return false;
	const char *port = rest + strlen(host); /* a name has no brackets */
	*ret_port = *port == ':' ? (unsigned)strtoul(port + 1, NULL, 10) : url[4] == 's' ? 443 : 80;
	memcpy(ret, host, sizeof host);
	return true;
}

bool node_url_is_loopback(const char *url)
{
	unsigned char literal[16];
	char host[ADDRESS_HOST_MAX + 1];
	const char *rest = after_scheme(url);
	if (!rest || !split_host(rest, host, sizeof host))
		return false;
	return parse_literal(host, literal) >= 0 ? is_loopback(literal) : is_localhost(host);
}

bool addresses_are_loopback(const char *list)
{
	unsigned char literal[16];
	char first[INET6_ADDRSTRLEN + 1];
	bool bracket = *list == '[';
	size_t len = strcspn(list += bracket, bracket ? "]" : ",");
	if (len >= sizeof first)
		return false;
	memcpy(first, list, len);
	first[len] = 0;
	return parse_literal(first, literal) >= 0 && is_loopback(literal);
}

enum err hook_url_check(const char *url, size_t *ret_origin, struct reason *why)
{
	char host[ADDRESS_HOST_MAX + 1];
	unsigned char literal[16];
	const char *rest = after_scheme(url);
	if (!rest)
		return fail(INVALID, why, "the URL does not start with http:// or https://");
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c >= 127 || strchr("@#\\\"<>", *c))
			return fail(INVALID, why, "the URL may hold neither user, fragment nor blanks");
	if (!split_host(rest, host, sizeof host) || (parse_literal(host, literal) < 0 && !name_ok(host)))
		return fail(INVALID, why, "the URL is not http://HOST:PORT/PATH");
	*ret_origin = (size_t)(rest - url) + strcspn(rest, "/");
	return OK;
}
