/*
 * listen - "HOST:PORT" as an address of this machine, and a socket that listens there.  Any thread.
 */
#ifndef SHARED_LISTEN_H
#define SHARED_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "shared/err.h"

/* HOST is an IPv4 or a bracketed IPv6 literal, or `localhost` (127.0.0.1).  INVALID: anything else. */
enum err listen_parse(const char *text, struct sockaddr_storage *ret, struct reason *why) MUST_USE;
bool listen_is_loopback(const struct sockaddr *a); /* also an IPv4 address mapped into IPv6 */
/*
 * Binds and listens; *fd is the caller's to close, *ret the address with its real port.
 * DENIED: taken, privileged or not of this machine; RETRY: no descriptors left.
 */
enum err listen_open(const char *text, int *fd, struct sockaddr_storage *ret, struct reason *why) MUST_USE;
/* "127.0.0.1:80", "[::1]:80" */
void listen_format(const struct sockaddr_storage *a, char ret[64]);
/* Who a peer is, without its port; "192.0.2.1" also where that is mapped into IPv6; "" = no such address. */
void listen_peer(const struct sockaddr *a, char ret[INET6_ADDRSTRLEN]);

#endif
