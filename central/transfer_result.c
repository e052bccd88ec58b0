/* What came of a call, in our words: the one place where libcurl's codes are read. */
#include "central/transfer_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void PRINTF(2, 3) say(struct reason *why, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, args);
	va_end(args);
}

static enum poll_result connect_result(const struct transfer_call *call, struct reason *why)
{
	long os_errno = 0;
	curl_easy_getinfo(call->own.handle->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (call->own.verdict != ADDRESS_ALLOWED) {
		say(why, "its address %s", address_words(call->own.verdict));
		return POLL_NETWORK;
	}
	if (call->own.in_the_clear) {
		say(why, "its token would travel in the clear: give it an https:// URL, or start the centre "
			 "with "
			 "--allow-plain-http");
		return POLL_TLS;
	}
	say(why, "%s", os_errno ? strerror((int)os_errno) : "no connection");
	return os_errno == ECONNREFUSED ? POLL_REFUSED : os_errno == ETIMEDOUT ? POLL_TIMEOUT : POLL_NETWORK;
}

/* The connection was made, and the time was over before TLS was.  libcurl tells no time of a connection before all of it is done. */
static bool is_handshake(const struct transfer_call *call)
{
	struct sockaddr_storage other;
	socklen_t size = sizeof other;
	return !call->own.plain && call->own.connect_due_us > 0 && call->own.socket >= 0 &&
	       getpeername(call->own.socket, (struct sockaddr *)(void *)&other, &size) == 0;
}

static enum poll_result tls_result(CURLcode code, const struct transfer_call *call, struct reason *why)
{
	long verdict = 0;
	curl_easy_getinfo(call->own.handle->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	tls_fault(why, code == CURLE_PEER_FAILED_VERIFICATION, verdict, call->own.handle->words);
	return POLL_TLS;
}

void transfer_say_crowded_out(struct reason *why)
{
	say(why, "the centre had no room for its answer: too many came at once, and this was the largest");
}

enum poll_result transfer_classify(const struct transfer_call *call, CURLcode code, struct reason *why)
{
	if (call->own.crowded_out) {
		transfer_say_crowded_out(why);
		return POLL_NETWORK;
	}
	if (code == CURLE_OK)
		return POLL_OK;
	say(why, "%s", curl_easy_strerror(code));
	if (call->too_large || call->own.flooded) {
		say(why, "the answer is larger than %zu bytes", call->max_bytes);
		return POLL_BAD_BODY;
	}
	if (call->own.head_bytes > TRANSFER_HEAD_BYTES || code == CURLE_OUT_OF_MEMORY) {
		say(why, "the head of its answer is larger than %d bytes", TRANSFER_HEAD_BYTES);
		return POLL_BAD_BODY;
	}
	switch ((int)code) {
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_COULDNT_CONNECT:
		return connect_result(call, why);
	case CURLE_OPERATION_TIMEDOUT:
		say(why, "no answer in time%s", is_handshake(call) ? " to the TLS handshake" : "");
		return POLL_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return tls_result(code, call, why);
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return tls_alerted(call->own.handle->words) ? tls_result(code, call, why) : POLL_NETWORK;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: something answers, but not in HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		say(why, "what answers there does not speak HTTP/1.1");
		return POLL_NOT_TIDEMARK;
	default: /* libcurl's codes, not ours: reset, cut short, out of descriptors … */
		return POLL_NETWORK;
	}
}
