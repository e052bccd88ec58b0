#include "shared/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/options.h"

#define CERTIFICATES_MAX 1024

const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
			      "-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD";

struct tls {
	atomic_uint holders;
	struct buf certificate, key, ca;
	int64_t ends_us;
	gnutls_certificate_credentials_t credentials; /* of a server */
};

static gnutls_datum_t datum_of(const struct buf *b)
{
	return (gnutls_datum_t){.data = (unsigned char *)b->at, .size = (unsigned)b->len};
}

/* --- settings --- */

enum err tls_files_check(
	const struct tls_files *f, const char *certificate_option, const char *key_option, struct reason *why)
{
	if (!f->certificate == !f->key)
		return OK;
	return fail(INVALID, why, "--%s needs --%s as well: they are a pair",
		f->certificate ? certificate_option : key_option,
		f->certificate ? key_option : certificate_option);
}

enum err tls_listen_check(
	const char *listen, bool loopback, const struct tls_files *f, bool plain_allowed, struct reason *why)
{
	if (f->ca && !f->certificate)
		return fail(INVALID, why, "--tls-client-ca needs --tls-certificate and --tls-key as well");
	if (loopback || f->certificate || plain_allowed)
		return OK;
	return fail(DENIED, why,
		"--listen %s: beyond loopback tokens and records would travel in the clear; give "
		"--tls-certificate and "
		"--tls-key, or --allow-plain-http if the network itself is safe",
		listen);
}

/* --- reading --- */

static int64_t first_end_us(gnutls_x509_crt_t *list, unsigned n)
{
	int64_t ends_us = INT64_MAX;
	for (unsigned i = 0; i < n; i++) {
		int64_t us = (int64_t)gnutls_x509_crt_get_expiration_time(list[i]) * 1000000;
		if (us < ends_us)
			ends_us = us;
	}
	return ends_us;
}

/* How many certificates are in it, and when the first of them ends. */
static enum err read_certificates(const char *path, struct buf *ret, int64_t *ret_ends_us, struct reason *why)
{
	gnutls_x509_crt_t *list;
	unsigned n;
	enum err e = option_read_pem(path, false, ret, why);
	if (e != OK)
		return e;
	gnutls_datum_t pem = datum_of(ret);
	int r = gnutls_x509_crt_list_import2(&list, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (r < 0)
		return fail(
			INVALID, why, "%.200s: no certificates in PEM form: %s", path, gnutls_strerror(r));
	*ret_ends_us = first_end_us(list, n);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return OK;
}

static enum err take_pair(struct tls *t, const struct tls_files *f, struct reason *why)
{
	enum err e = read_certificates(f->certificate, &t->certificate, &t->ends_us, why);
	if (e == OK)
		e = option_read_pem(f->key, true, &t->key, why);
	if (e != OK)
		return e;
	gnutls_datum_t certificate = datum_of(&t->certificate), key = datum_of(&t->key);
	int r = gnutls_certificate_set_x509_key_mem2(
		t->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r >= 0)
		return OK;
	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return fail(INVALID, why, "%.150s: not the key of the first certificate in %.150s", f->key,
			f->certificate);
	if (r == GNUTLS_E_DECRYPTION_FAILED)
		return fail(INVALID, why,
			"%.200s: encrypted; give it without a password, readable by nobody else", f->key);
	return fail(INVALID, why, "%.200s: no key in PEM form: %s", f->key, gnutls_strerror(r));
}

static enum err take_ca(struct tls *t, const char *path, struct reason *why)
{
	int64_t ends_us;
	enum err e = read_certificates(path, &t->ca, &ends_us, why);
	if (e != OK)
		return e;
	gnutls_datum_t ca = datum_of(&t->ca);
	int r = gnutls_certificate_set_x509_trust_mem(t->credentials, &ca, GNUTLS_X509_FMT_PEM);
	return r > 0 ? OK
		     : fail(INVALID, why, "%.200s: no certificates to believe: %s", path, gnutls_strerror(r));
}

enum err tls_read(struct tls **ret, const struct tls_files *f, struct reason *why)
{
	struct tls *t = calloc(1, sizeof *t);
	if (!t)
		err_out_of_memory();
	t->holders = 1;
	if (gnutls_certificate_allocate_credentials(&t->credentials) < 0)
		err_out_of_memory();
	enum err e = OK;
	if (f->certificate)
		e = take_pair(t, f, why);
	if (e == OK && f->ca)
		e = take_ca(t, f->ca, why);
	if (e == OK)
		*ret = t;
	else
		tls_release(t);
	return e;
}

struct tls *tls_hold(struct tls *t)
{
	atomic_fetch_add(&t->holders, 1);
	return t;
}

void tls_release(struct tls *t)
{
	if (!t || atomic_fetch_sub(&t->holders, 1) > 1)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	if (t->key.at)
		explicit_bzero(t->key.at, t->key.len);
	buf_done(&t->certificate);
	buf_done(&t->key);
	buf_done(&t->ca);
	free(t);
}

struct span tls_certificate(const struct tls *t)
{
	return buf_span(&t->certificate);
}

struct span tls_key(const struct tls *t)
{
	return buf_span(&t->key);
}

struct span tls_ca(const struct tls *t)
{
	return buf_span(&t->ca);
}

bool tls_same(const struct tls *a, const struct tls *b)
{
	if (!a || !b)
		return a == b;
	return span_equal(buf_span(&a->certificate), buf_span(&b->certificate)) &&
	       span_equal(buf_span(&a->key), buf_span(&b->key)) &&
	       span_equal(buf_span(&a->ca), buf_span(&b->ca));
}

enum err tls_switch_check(const struct tls *before, const struct tls *now, struct reason *why)
{
	if (!before == !now)
		return OK;
	return fail(INVALID, why, "tls-certificate: TLS is switched on and off by a restart alone");
}

void tls_tell(const struct tls *now, struct reloaded *ret)
{
	struct buf text = {0};
	buf_text(&text, "another certificate or authority; the certificate is valid until ");
	buf_time(&text, now->ends_us);
	if (!buf_failed(&text))
		option_content_tell("tls-certificate", text.at, ret);
	buf_done(&text);
}

int64_t tls_ends_us(const struct tls *t)
{
	return t ? t->ends_us : 0;
}

bool tls_ends_soon(int64_t ends_us, int64_t now_us, const char *which, struct reason *ret)
{
	struct buf until = {0};
	if (ends_us == 0 || ends_us - now_us > TLS_ENDS_SOON_US)
		return false;
	buf_time(&until, ends_us / 1000000 * 1000000);
	long long days = (ends_us - now_us) / INT64_C(86400000000);
	if (ends_us <= now_us)
		(void)fail(OK, ret, "its %s ended at %.10s: who checks it talks no more", which,
			buf_span(&until).at);
	else
		(void)fail(OK, ret, "its %s ends at %.10s, in %lld day%s", which, buf_span(&until).at, days,
			days == 1 ? "" : "s");
	buf_done(&until);
	return true;
}

void tls_put_metric(const struct tls_ends *ends, size_t n, int64_t now_us, struct buf *out)
{
	static const char name[] = "tidemark_certificate_expiry_seconds";
	buf_printf(out, "# HELP %s How long an own TLS certificate holds yet, by its use.\n# TYPE %s gauge\n",
		name, name);
	for (size_t i = 0; i < n; i++)
		if (ends[i].us != 0)
			buf_printf(out, "%s{use=\"%s\"} %.0f\n", name, ends[i].use,
				(double)(ends[i].us - now_us) / 1e6);
}

/* --- a server's connection --- */

/*
 * No handshake begins with a letter, and every request does.  What was sent is read first: a socket that is closed with
 * bytes unread takes the answer back.
 */
static void answer_plain(const struct tls_peer *p)
{
	char unread[4096];
	unsigned blocks = 0;
	while (blocks < 8 && recv(p->fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
		blocks++;
	ssize_t n = send(p->fd, p->refusal, strlen(p->refusal), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n; /* it goes either way */
	shutdown(p->fd, SHUT_WR);
}

static ssize_t pull(gnutls_transport_ptr_t ctx, void *to, size_t max)
{
	struct tls_peer *p = ctx;
	unsigned char first;
	if (!p->begun && recv(p->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
		p->begun = true;
		if (first >= 'A' && first <= 'Z') {
			answer_plain(p);
			return 0;
		}
	}
	return recv(p->fd, to, max, 0);
}

bool tls_attend(struct tls_peer *p, struct tls *t, void *session, int fd, const char *refusal)
{
	gnutls_session_t s = session;
	*p = (struct tls_peer){.tls = tls_hold(t), .fd = fd, .refusal = refusal};
	gnutls_transport_set_ptr2(s, p, (gnutls_transport_ptr_t)(intptr_t)fd);
	gnutls_transport_set_pull_function(s, pull);
	if (t->ca.len > 0) /* asked for, not demanded: some of what is served is for everybody */
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUEST);
	return gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, t->credentials) == GNUTLS_E_SUCCESS;
}

void tls_part(struct tls_peer *p)
{
	tls_release(p->tls);
	p->tls = NULL;
}

static const char *wrong_of(unsigned status)
{
	if (status & GNUTLS_CERT_EXPIRED)
		return "has expired";
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return "is not valid yet";
	if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		return "is not one for clients";
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return "is signed by an algorithm that is no longer safe";
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
		return "is of no authority that is believed here";
	return "does not hold";
}

/* A node's own certificate, of the same authority, makes no centre. */
static bool is_for_clients(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t c;
	if (gnutls_x509_crt_init(&c) < 0)
		return false;
	bool good = gnutls_x509_crt_import(c, der, GNUTLS_X509_FMT_DER) >= 0 &&
		    gnutls_x509_crt_check_key_purpose(c, GNUTLS_KP_TLS_WWW_CLIENT, 0) != 0;
	gnutls_x509_crt_deinit(c);
	return good;
}

/* libmicrohttpd asks for a certificate and looks at none. */
static void judge(struct tls_peer *p, gnutls_session_t s)
{
	unsigned n = 0, status = 0;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(s, &n);
	if (!shown || n == 0) {
		(void)!fail(DENIED, &p->wrong, "none was shown");
		return;
	}
	int r = gnutls_certificate_verify_peers2(s, &status);
	if (r >= 0 && status == 0 && !is_for_clients(shown))
		status = GNUTLS_CERT_PURPOSE_MISMATCH;
	if (r < 0)
		(void)!fail(DENIED, &p->wrong, "what was shown cannot be judged: %s", gnutls_strerror(r));
	else if (status != 0)
		(void)!fail(DENIED, &p->wrong, "what was shown %s", wrong_of(status));
}

const char *tls_wrong(struct tls_peer *p, void *session)
{
	if (!p->judged && p->tls->ca.len > 0)
		judge(p, session);
	p->judged = true;
	return p->wrong.text[0] ? p->wrong.text : NULL;
}
