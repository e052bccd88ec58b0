/* libcurl's handles: what is the same for all requests, which is most of what there is to set, is set once. */
#include "central/transfer_private.h"

#include <stdlib.h>
#include <string.h>

/* So many wait for their next request; what thousands of parked ones needed at once is not kept. */
#define IDLE_MOST 256

static void set_blob(CURL *easy, CURLoption o, struct span pem)
{
	struct curl_blob blob = {.data = (void *)(uintptr_t)pem.at, .len = pem.len, .flags = CURL_BLOB_COPY};
	if (pem.len > 0)
		curl_easy_setopt(easy, o, &blob);
}

/*
 * As contents: by the name of a file libcurl would keep what it read for a day.  A connection is used again only by calls
 * with the same ones.  With an own authority the system's are left out; they stand in a directory, too.
 */
static void set_tls(CURL *easy, const struct tls *t)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!t)
		return;
	if (tls_ca(t).len > 0) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		set_blob(easy, CURLOPT_CAINFO_BLOB, tls_ca(t));
	}
	set_blob(easy, CURLOPT_SSLCERT_BLOB, tls_certificate(t));
	set_blob(easy, CURLOPT_SSLKEY_BLOB, tls_key(t));
}

static void set_limits(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(
		easy, CURLOPT_PROXY_CAINFO, NULL); /* of these each handle, and connection, has copies */
	curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(
		easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* connections are kept, addresses need not be */
}

static void set_up(struct transfer_handle *h, struct transfer_loop *l)
{
	h->posts = false;
	h->buffer_bytes = h->connect_ms = -1;
	set_limits(h->easy);
	transfer_call_set_callbacks(h, l);
	if (h->secure) {
		set_tls(h->easy, h->tls);
		curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, &h->words[0]);
	} else {
		curl_easy_setopt(h->easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(h->easy, CURLOPT_CAPATH, NULL);
	}
}

static struct transfer_handle *handle_new(bool secure, const struct tls *tls, struct transfer_loop *l)
{
	struct transfer_handle *h = calloc(1, sizeof *h + (secure ? CURL_ERROR_SIZE : 1));
	CURL *easy = curl_easy_init();
	if (!h || !easy)
		err_out_of_memory();
	*h = (struct transfer_handle){.easy = easy, .secure = secure, .tls = tls};
	set_up(h, l);
	return h;
}

/*
 * A request may have been sent anew over another connection than the one it was begun on.  libcurl gives up at the sixth time, of
 * all the requests of a handle, unless that is reset.
 */
static bool is_worn(const struct transfer_handle *h)
{
	long connections = 0;
	curl_easy_getinfo(h->easy, CURLINFO_NUM_CONNECTS, &connections);
	return connections > 0;
}

static void renew(struct transfer_handle *h, struct transfer_loop *l)
{
	curl_easy_reset(h->easy);
	set_up(h, l);
	h->worn = false;
}

void transfer_handle_free(struct transfer_handle *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->easy);
	free(h);
}

static void release(struct transfer_handles *hs, struct transfer_call *call)
{
	struct transfer_handle *h = call->own.handle;
	call->own.handle = NULL;
	h->call = NULL;
	if (h->secure || hs->n == IDLE_MOST) {
		transfer_handle_free(h);
		return;
	}
	h->next = hs->idle;
	hs->idle = h;
	hs->n++;
}

void transfer_handles_lend(struct transfer_handles *hs, struct transfer_call *call)
{
	bool secure = !call->own.plain;
	struct transfer_handle *h = call->own.handle;
	if (h && (h->secure != secure || h->tls != call->own.tls)) {
		release(hs, call);
		h = NULL;
	}
	if (!h && !secure && hs->idle) {
		h = hs->idle;
		hs->idle = h->next;
		hs->n--;
	}
	if (!h)
		h = handle_new(secure, secure ? call->own.tls : NULL, hs->loop);
	if (h->worn)
		renew(h, hs->loop);
	if (secure)
		h->words[0] = 0;
	h->call = call;
	call->own.handle = h;
}

void transfer_handles_return(struct transfer_handles *hs, struct transfer_call *call)
{
	struct transfer_handle *h = call->own.handle;
	if (!h)
		return;
	h->worn = is_worn(h);
	if (!h->secure)
		release(hs, call);
}

void transfer_handles_done(struct transfer_handles *hs)
{
	struct transfer_handle *next;
	for (struct transfer_handle *h = hs->idle; h; h = next) {
		next = h->next;
		transfer_handle_free(h);
	}
	*hs = (struct transfer_handles){0};
}
