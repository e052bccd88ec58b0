/*
 * tls - GnuTLS's door: what a side of a TLS connection shows and whom it believes, read from PEM files and checked; and a
 * server's part of a connection: what it offers, what it asks for, who the peer is.
 *
 * A struct tls never changes once it was read, and is counted: a connection holds the one that it began with, so a renewed
 * certificate is for the connections that come.  Thread-safe; a struct tls_peer belongs to one connection.
 */
#ifndef SHARED_TLS_H
#define SHARED_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/options.h"

/* Names of files; NULL: none.  A certificate goes with its key. */
struct tls_files {
	const char *certificate; /* its own, then those that it is signed by */
	const char *key;         /* readable by its owner and group alone, and not encrypted */
	const char *ca;          /* the authorities whose certificates peers must have */
};

/* How every program that serves is told of them, where `f` is a struct tls_files. */
#define TLS_SERVER_OPTIONS(f)                                                                        \
	{"tls-certificate", OPTION_TEXT, &(f)->certificate, NULL, 0, 0, NULL, "FILE",                \
		"serve HTTPS with this certificate (PEM; followed by those that it is signed by)"},  \
		{"tls-key", OPTION_TEXT, &(f)->key, NULL, 0, 0, NULL, "FILE",                        \
			"its key (PEM, not encrypted, readable by nobody else)"},                    \
	{                                                                                            \
		"tls-client-ca", OPTION_TEXT, &(f)->ca, NULL, 0, 0, NULL, "FILE", TLS_CLIENT_CA_HELP \
	}
/* INVALID: one without the other. */
enum err tls_files_check(const struct tls_files *f, const char *certificate_option, const char *key_option,
	struct reason *why) MUST_USE;

/*
 * Whether a program may listen there: beyond loopback only with TLS, or where plain HTTP was asked for by name.  DENIED,
 * with what to do.
 */
enum err tls_listen_check(const char *listen, bool loopback, const struct tls_files *f, bool plain_allowed,
	struct reason *why) MUST_USE;

struct tls;

/* INVALID, DENIED, GONE: a file, or what is in it, is not as it must be; the reason names the file and what to do. */
enum err tls_read(struct tls **ret, const struct tls_files *f, struct reason *why) MUST_USE;
struct tls *tls_hold(struct tls *t);
void tls_release(struct tls *t); /* NULL is allowed */

/* PEM, NUL-terminated; empty: none. */
struct span tls_certificate(const struct tls *t);
struct span tls_key(const struct tls *t);
struct span tls_ca(const struct tls *t);
bool tls_same(const struct tls *a, const struct tls *b); /* the same files' contents; NULL: as nothing */
/* What a reload is told of it.  INVALID: TLS begins and ends with a program. */
enum err tls_switch_check(const struct tls *before, const struct tls *now, struct reason *why) MUST_USE;
void tls_tell(const struct tls *now, struct reloaded *ret);
/* Wall clock: when the first of the own certificates ends; 0 = there is none (NULL: likewise). */
int64_t tls_ends_us(const struct tls *t);

#define TLS_ENDS_SOON_US (INT64_C(30) * 86400 * 1000000)
/* Does a certificate end within that, or has it?  Then says so; `which` is "TLS certificate" or the like. */
bool tls_ends_soon(int64_t ends_us, int64_t now_us, const char *which, struct reason *ret) MUST_USE;
/* tidemark_certificate_expiry_seconds: how long it holds, negative once it does not; nothing where there is none. */
struct tls_ends {
	const char *use; /* "server", "client" */
	int64_t us;
};
void tls_put_metric(const struct tls_ends *ends, size_t n, int64_t now_us, struct buf *out);

/* --- a server's connection; `session` is a gnutls_session_t --- */

/* TLS 1.2 and 1.3, forward secrecy and authenticated ciphers alone; for gnutls_priority_init(). */
extern const char tls_priorities[];

struct tls_peer {
	struct tls *tls;
	int fd;
	bool begun;  /* its first byte has come */
	bool judged; /* `wrong` is what came of it */
	const char *refusal;
	struct reason wrong;
};

/*
 * Before the handshake.  Who speaks plain HTTP instead gets `refusal`, a whole answer that outlives the connection.  The
 * peer's descriptor is the session's.  False: out of memory.
 */
bool tls_attend(struct tls_peer *p, struct tls *t, void *session, int fd, const char *refusal) MUST_USE;
void tls_part(struct tls_peer *p); /* the session is gone */
/*
 * After the handshake, on the connection's thread: NULL: the peer has shown a good certificate, or none is asked for; else why
 * not, in words.  The first call decides for the connection.
 */
const char *tls_wrong(struct tls_peer *p, void *session);

/* --- a client's connection, which libcurl makes; pure (tls_fault.c) --- */

/*
 * Why there is none, in words that say what to look at: `untrusted`: the peer's certificate was judged, with that result of
 * OpenSSL's (0 or 1: all but its name); else by what libcurl said of the handshake.
 */
void tls_fault(struct reason *ret, bool untrusted, long verdict, const char *said);
/* Did the peer end a connection that was made?  So TLS 1.3 refuses a client's certificate. */
bool tls_alerted(const char *said);

#endif
