/* Where nodes may be: a URL that is taken names the same host and port to libcurl, which will connect there. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>

#include "central/address.h"
#include "shared/listen.h"
#include "tests/fuzz/fuzz.h"

/* As libcurl sees it; the brackets of an IPv6 address go. */
static void by_curl(const char *url, char host[300], char port[16])
{
	CURLU *u = curl_url();
	char *text = NULL;

	MUST(u);
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
		fprintf(stderr, "libcurl does not take %s\n", url);
		abort();
	}
	MUST(curl_url_get(u, CURLUPART_HOST, &text, 0) == CURLUE_OK);
	bool brackets = text[0] == '[';
	snprintf(host, 300, "%s", text + brackets);
	if (brackets)
		host[strlen(host) - 1] = '\0';
	curl_free(text);
	MUST(curl_url_get(u, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) == CURLUE_OK);
	snprintf(port, 16, "%s", text);
	curl_free(text);
	MUST(curl_url_get(u, CURLUPART_USER, &text, 0) == CURLUE_NO_USER);
	MUST(curl_url_get(u, CURLUPART_QUERY, &text, 0) == CURLUE_NO_QUERY);
	MUST(curl_url_get(u, CURLUPART_FRAGMENT, &text, 0) == CURLUE_NO_FRAGMENT);
	curl_url_cleanup(u);
}

static bool is_literal(const char *host, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof *ret);
	ret->ss_family = AF_INET;
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1)
		return true;
	ret->ss_family = AF_INET6;
	return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
}

static void check_url(const struct networks *ns, const char *url)
{
	char name[ADDRESS_HOST_MAX + 1], host[300], port[16];
	struct sockaddr_storage address;
	unsigned number = 0;
	struct reason why = {""};
	enum err e = node_url_check(ns, url, &why);
	bool named = node_url_name(url, name, &number);

	MUST(e == OK || ((e == INVALID || e == DENIED) && why.text[0]));
	if (e != OK)
		return;
	by_curl(url, host, port);
	if (named) {
		/* a name may look like 0x7f000001: libcurl says the address then, and the socket is judged */
		MUST(strcasecmp(host, name) == 0 || is_literal(host, &address));
		MUST(strtoul(port, NULL, 10) == number);
	} else if (is_literal(host, &address)) {
		MUST(networks_judge(ns, (struct sockaddr *)&address) == ADDRESS_ALLOWED);
		MUST(strncmp(url, "http:", 5) != 0 || networks_allow_plain(ns, (struct sockaddr *)&address));
	} else {
		MUST(strcasecmp(host, "localhost") == 0);
	}
}

static void check_listen(const char *text)
{
	struct sockaddr_storage a, again;
	struct reason why = {""};
	char out[64];

	if (listen_parse(text, &a, &why) != OK)
		return;
	listen_format(&a, out);
	MUST(listen_parse(out, &again, &why) == OK);
	MUST(memcmp(&a, &again,
		     a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	struct networks ns = {.n = 0};
	struct reason why;
	unsigned what = fuzz_byte(&f);

	if (what & 1)
		networks_add_loopback(&ns);
	for (unsigned n = (what >> 1) % 4; n > 0; n--) {
		char *cidr = fuzz_copy(fuzz_text(&f));

		if (networks_add(&ns, cidr, &why) != OK)
			MUST(why.text[0]);
		free(cidr);
	}
	struct span text = fuzz_text(&f);

	if (text.len < 2000) {
		char *url = fuzz_copy(text);

		check_url(&ns, url);
		check_listen(url);
		free(url);
	}
	return 0;
}
