#include "central/address.h"

#include <arpa/inet.h>
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

static bool allow_bytes(const struct networks *ns, const unsigned char a[16])
{
	for (size_t i = 0; i < ns->n; i++)
		if (network_has(&ns->at[i], a))
			return true;
	return false;
}

static bool bytes_of(const struct sockaddr *address, unsigned char ret[16])
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		map_v4(&in.sin_addr, ret);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof in6);
		memcpy(ret, &in6.sin6_addr, 16);
	} else {
		return false;
	}
	return true;
}

bool networks_allow(const struct networks *ns, const struct sockaddr *address)
{
	unsigned char a[16];
	return bytes_of(address, a) && allow_bytes(ns, a);
}

bool networks_allow_text(const struct networks *ns, const char *address)
{
	unsigned char a[16];
	return parse_literal(address, a) >= 0 && allow_bytes(ns, a);
}

static bool is_loopback(const unsigned char a[16])
{
	struct networks loopback = {.n = 0};
	networks_add_loopback(&loopback);
	return allow_bytes(&loopback, a);
}

bool networks_allow_plain_text(const struct networks *ns, const char *address)
{
	unsigned char a[16];
	return ns->plain_http || (parse_literal(address, a) >= 0 && is_loopback(a));
}

bool networks_allow_plain(const struct networks *ns, const struct sockaddr *address)
{
	unsigned char a[16];
	return ns->plain_http || (bytes_of(address, a) && is_loopback(a));
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

enum err node_url_check(const struct networks *ns, const char *url, struct reason *why)
{
	char host[ADDRESS_HOST_MAX + 1];
	unsigned char literal[16];
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
	if (!is_literal && !strcasecmp(host, "localhost"))
		is_literal = parse_literal("127.0.0.1", literal) >= 0;
	if (!is_literal && !name_ok(host))
		return fail(INVALID, why, "%.100s is neither a name nor an address", host);
	if (is_literal && !allow_bytes(ns, literal))
		return fail(DENIED, why,
			"%.100s is in no allowed network; start the centre with --allow-network", host);
	if (url[4] == ':' && !ns->plain_http && !(is_literal && is_loopback(literal)))
		return fail(DENIED, why,
			"by http:// the node's token and records would travel in the clear to %.100s; give "
			"it a "
			"certificate and an https:// URL, or start the centre with --allow-plain-http if the "
			"network "
			"between is safe",
			host);
	return OK;
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
