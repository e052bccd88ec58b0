/* Why a client has no TLS connection.  libcurl's OpenSSL says it in numbers and in words for its developers. */
#include "shared/tls.h"

#include <stdio.h>
#include <string.h>

/* X509_V_ERR_… of OpenSSL's x509_vfy.h, which never change. */
static const struct {
	long code;
	const char *words;
} verdicts[] = {
	{0, "its TLS certificate is for another name than the one in its URL"},
	{1, "its TLS certificate is for another name than the one in its URL"}, /* libcurl's, before it asked */
	{2, "its TLS certificate is signed by nobody who is believed here (--tls-ca)"},
	{9, "its TLS certificate is not valid yet, or this machine's clock is behind"},
	{10, "its TLS certificate has expired"},
	{18, "its TLS certificate is self-signed, and not the one that is believed here (--tls-ca)"},
	{19, "its TLS certificate is signed by an authority that is not believed here (--tls-ca)"},
	{20, "its TLS certificate is signed by an authority that is not believed here (--tls-ca)"},
	{21, "its TLS certificate is signed by an authority that is not believed here (--tls-ca)"},
	{23, "its TLS certificate was revoked"},
	{26, "its TLS certificate is not one for servers"},
	{62, "its TLS certificate is for another name than the one in its URL"},
	{64, "its TLS certificate is for another address than the one in its URL"},
	{66, "the key of its TLS certificate is too weak"},
	{68, "its TLS certificate is signed by an algorithm that is no longer safe"},
};

static const struct {
	const char *said, *words;
} breaks[] = {
	{"wrong version number",
		"it answers the TLS handshake in another protocol: does it speak plain HTTP?"},
	{"packet length too long",
		"it answers the TLS handshake in another protocol: does it speak plain HTTP?"},
	{"alert protocol version", "it speaks no version of TLS from 1.2 on"},
	{"unsupported protocol", "it speaks no version of TLS from 1.2 on"},
	{"alert handshake failure", "both ends have no TLS cipher in common"},
	{"alert certificate required", "it needs a client certificate (--tls-client-certificate)"},
	{"alert unknown ca", "it does not believe our client certificate"},
	{"alert bad certificate", "it does not believe our client certificate"},
	{"alert certificate expired", "our client certificate has expired"},
	{"SSL_ERROR_SYSCALL", "it broke off the TLS handshake: does it speak plain HTTP?"},
	{"unexpected eof", "it broke off the TLS handshake: does it speak plain HTTP?"},
	{"Connection reset", "it broke off the TLS handshake: does it speak plain HTTP?"},
};

void tls_fault(struct reason *ret, bool untrusted, long verdict, const char *said)
{
	for (size_t i = 0; untrusted && i < sizeof verdicts / sizeof *verdicts; i++)
		if (verdicts[i].code == verdict) {
			snprintf(ret->text, sizeof ret->text, "%s", verdicts[i].words);
			return;
		}
	for (size_t i = 0; !untrusted && i < sizeof breaks / sizeof *breaks; i++)
		if (strstr(said, breaks[i].said)) {
			snprintf(ret->text, sizeof ret->text, "%s", breaks[i].words);
			return;
		}
	snprintf(ret->text, sizeof ret->text, "no TLS connection: %.200s", said);
	for (char *c = ret->text; *c; c++) /* it may quote a peer */
		if (*c < ' ' || *c > '~')
			*c = '?';
}

bool tls_alerted(const char *said)
{
	return strstr(said, "alert") != NULL;
}
