#include "shared/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/buf.h"

#define BACKLOG 4096 /* the kernel may keep fewer */

static socklen_t address_size(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* HOST without its brackets, and the port; both must be there. */
static bool split(const char *text, char host[INET6_ADDRSTRLEN], uint64_t *port, bool *bracketed)
{
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text || !span_to_u64(span_of(colon + 1), 65535, port))
		return false;
	struct span h = {text, (size_t)(colon - text)};
	*bracketed = h.at[0] == '[';
	if (*bracketed) {
		if (h.len < 2 || h.at[h.len - 1] != ']')
			return false;
		h = (struct span){h.at + 1, h.len - 2};
	}
	if (h.len >= INET6_ADDRSTRLEN)
		return false;
	memcpy(host, h.at, h.len);
	host[h.len] = '\0';
	return true;
}

enum err listen_parse(const char *text, struct sockaddr_storage *ret, struct reason *why)
{
	char host[INET6_ADDRSTRLEN];
	uint64_t port;
	bool bracketed;
	struct sockaddr_storage a = {0};
	if (!split(text, host, &port, &bracketed))
		return fail(INVALID, why, "%s: not an address; write 127.0.0.1:7100 or [::1]:7100", text);
	const char *literal = !bracketed && strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	if (!bracketed && inet_pton(AF_INET, literal, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
	} else if (bracketed && inet_pton(AF_INET6, literal, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
	} else {
		return fail(
			INVALID, why, "%s: the host is no address; write 127.0.0.1:7100 or [::1]:7100", text);
	}
	*ret = a;
	return OK;
}

bool listen_is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)a;
		return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	}
	if (a->sa_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *v6 = (const void *)a;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

void listen_format(const struct sockaddr_storage *a, char ret[64])
{
	char host[INET6_ADDRSTRLEN] = "";
	if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)a;
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		snprintf(ret, 64, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		const struct sockaddr_in *v4 = (const void *)a;
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(ret, 64, "%s:%u", host, ntohs(v4->sin_port));
	}
}

void listen_peer(const struct sockaddr *a, char ret[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;
	ret[0] = '\0';
	if (a->sa_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, ret, INET6_ADDRSTRLEN);
	else if (a->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ret, INET6_ADDRSTRLEN);
	else if (a->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, ret, INET6_ADDRSTRLEN);
}

static enum err refused(const char *text, struct reason *why)
{
	switch (errno) {
	case EADDRINUSE:
		return fail(DENIED, why, "%s: another program listens there already", text);
	case EADDRNOTAVAIL:
		return fail(DENIED, why, "%s: not an address of this machine", text);
	case EACCES:
		return fail(DENIED, why, "%s: ports below 1024 need a privilege", text);
	case EAFNOSUPPORT:
		return fail(DENIED, why, "%s: this machine has no such kind of address", text);
	default:
		return fail(RETRY, why, "%s: %s", text, strerror(errno));
	}
}

enum err listen_open(const char *text, int *fd, struct sockaddr_storage *ret, struct reason *why)
{
	struct sockaddr_storage a;
	enum err e = listen_parse(text, &a, why);
	if (e != OK)
		return e;
	int s = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return refused(text, why);
	int on = 1;
	socklen_t size = address_size(&a);
	if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(s, (struct sockaddr *)&a, size) != 0 || listen(s, BACKLOG) != 0 ||
		getsockname(s, (struct sockaddr *)&a, &size) != 0) {
		e = refused(text, why);
		close(s);
		return e;
	}
	*fd = s;
	*ret = a;
	return OK;
}
