/* Where a node may live: the URL's form and the networks. */
#include "central/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/listen.h"

#include <cmocka.h>

static const struct {
	const char *cidr;
	enum err expect;
} cidrs[] = {
	{"10.0.0.0/8", OK},
	{"10.0.0.7", OK},
	{"0.0.0.0/0", OK},
	{"fd00::/8", OK},
	{"::1", OK},
	{"::/0", OK},
	{"10.0.0.0/33", INVALID},
	{"fd00::/129", INVALID},
	{"10.0.0.0/", INVALID},
	{"10.0.0.0/8x", INVALID},
	{"10.0.0.0/-1", INVALID},
	{"10.0.0/8", INVALID},
	{"example.com/8", INVALID},
	{"", INVALID},
	{"1111:2222:3333:4444:5555:6666:7777:8888:1111:2222:3333:4444:5555:6666", INVALID},
};

static void test_networks_are_parsed_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cidrs / sizeof *cidrs; i++) {
		struct networks ns = {0};
		struct reason why = {""};
		if (networks_add(&ns, cidrs[i].cidr, &why) != cidrs[i].expect)
			fail_msg("%s: %s", cidrs[i].cidr, why.text);
		assert_int_equal(ns.n, cidrs[i].expect == OK);
	}
}

static bool allowed(const struct networks *ns, const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		return networks_judge(ns, (const struct sockaddr *)(const void *)&in) == ADDRESS_ALLOWED;
	assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
	return networks_judge(ns, (const struct sockaddr *)(const void *)&in6) == ADDRESS_ALLOWED;
}

static void test_addresses_are_judged_by_bits(void **state)
{
	struct networks ns = {0};
	(void)state;
	assert_int_equal(networks_add(&ns, "10.32.0.0/11", NULL), OK);
	assert_int_equal(networks_add(&ns, "2001:db8::/33", NULL), OK);
	assert_true(allowed(&ns, "10.32.0.0"));
	assert_true(allowed(&ns, "10.63.255.255"));
	assert_false(allowed(&ns, "10.31.255.255"));
	assert_false(allowed(&ns, "10.64.0.0"));
	assert_true(allowed(&ns, "::ffff:10.40.1.1"));
	assert_false(allowed(&ns, "127.0.0.1"));
	assert_true(allowed(&ns, "2001:db8:7fff::1"));
	assert_false(allowed(&ns, "2001:db8:8000::1"));
	networks_add_loopback(&ns);
	assert_true(allowed(&ns, "127.0.0.1"));
	assert_true(allowed(&ns, "127.255.0.3"));
	assert_true(allowed(&ns, "::1"));
	assert_false(allowed(&ns, "::2"));
	assert_false(allowed(&ns, "0.0.0.0"));
}

static const struct {
	const char *url;
	enum err expect;
} urls[] = {
	{"http://127.0.0.1:7101", OK},
	{"https://127.0.0.1:7101/", OK},
	{"http://127.0.0.1/prefix", OK},
	{"http://[::1]:7101", OK},
	{"http://[::1]", OK},
	{"http://localhost:1", OK},
	{"http://LOCALHOST", OK},
	{"https://shop-1.example:65535", OK},
	{"http://shop-1.example:65535", DENIED},
	{"http://10.0.0.1:7101", DENIED},
	{"http://169.254.169.254", DENIED},
	{"http://[::ffff:10.0.0.1]:80", DENIED},
	{"http://[fd00::1]", DENIED},
	{"ftp://127.0.0.1", INVALID},
	{"file:///etc/passwd", INVALID},
	{"127.0.0.1:7101", INVALID},
	{"http://", INVALID},
	{"http:///x", INVALID},
	{"http://:80", INVALID},
	{"http://127.0.0.1:", INVALID},
	{"http://127.0.0.1:0", INVALID},
	{"http://127.0.0.1:65536", INVALID},
	{"http://127.0.0.1:80x", INVALID},
	{"http://127.1", INVALID},
	{"http://2130706433", INVALID},
	{"http://017700000001", INVALID},
	{"http://0", INVALID},
	{"http://0x7f000001:80", INVALID},
	{"http://0x7f.1", INVALID},
	{"http://0X7F.0.0.0x1/", INVALID},
	{"http://localhost.", OK},
	{"http://any.localhost:80", OK},
	{"https://notlocalhost", OK}, /* a name: judged when it is resolved */
	{"http://0.0.0.0:7101", DENIED},
	{"http://[::]:7101", DENIED},
	{"http://[::ffff:0.0.0.0]", DENIED},
	{"http://224.0.0.1", DENIED},
	{"http://255.255.255.255", DENIED},
	{"http://[ff02::1]", DENIED},
	{"http://[fe80::1]", DENIED},
	{"http://[fe80::1%25lo]", INVALID},
	{"http://127.0.0.1\\@10.0.0.1", INVALID},
	{"http://127.0.0.1:80\r\nX: y", INVALID},
	{"http://user:pass@127.0.0.1", INVALID},
	{"gopher://127.0.0.1", INVALID},
	{"HTTP://127.0.0.1", INVALID},
	{"//127.0.0.1", INVALID},
	{"http://127.0.0.1:99999", INVALID},
	{"http://user@127.0.0.1", INVALID},
	{"http://127.0.0.1/?q", INVALID},
	{"http://127.0.0.1/#f", INVALID},
	{"http://127.0.0.1/a b", INVALID},
	{"http://[::1", INVALID},
	{"http://[::1]x", INVALID},
	{"http://[localhost]:80", INVALID},
	{"http://[shop-1.example]", INVALID},
	{"http://[127.0.0.1]:80", INVALID},
	{"http://%31%32%37.0.0.1", INVALID},
	{"http://a\x01"
	 "b",
		INVALID},
};

static void test_urls_are_judged_by_table(void **state)
{
	struct networks ns = {0};
	(void)state;
	networks_add_loopback(&ns);
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct reason why = {""};
		enum err e = node_url_check(&ns, urls[i].url, &why);
		if (e != urls[i].expect)
			fail_msg("%s: %s (%s)", urls[i].url, err_name(e), why.text);
	}
}

static void test_what_no_network_allows(void **state)
{
	static const char *const never[] = {"0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250",
		"255.255.255.255", "::", "ff02::1", "ff0e::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1",
		"::ffff:255.255.255.255"};
	static const char *const apart[] = {"127.0.0.1", "127.9.9.9", "169.254.169.254", "::1", "fe80::1",
		"febf::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"};
	struct networks all = {0}, named = {0};
	(void)state;
	assert_int_equal(networks_add(&all, "0.0.0.0/0", NULL), OK);
	assert_int_equal(networks_add(&all, "::/0", NULL), OK);
	named = all;
	assert_int_equal(networks_add(&named, "224.0.0.0/4", NULL), OK);
	assert_int_equal(networks_add(&named, "ff00::/8", NULL), OK);
	assert_int_equal(networks_add(&named, "0.0.0.0", NULL), OK);
	assert_int_equal(networks_add(&named, "169.254.0.0/16", NULL), OK);
	assert_int_equal(networks_add(&named, "fe80::/10", NULL), OK);
	networks_add_loopback(&named);
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (allowed(&all, never[i]) || allowed(&named, never[i]))
			fail_msg("%s is allowed", never[i]);
	for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
		if (allowed(&all, apart[i]) || !allowed(&named, apart[i]) ||
			networks_judge_text(&all, apart[i]) != ADDRESS_APART)
			fail_msg("%s", apart[i]);
	assert_true(allowed(&all, "10.0.0.1") && allowed(&all, "2001:db8::1"));
	assert_int_equal(networks_judge_text(&all, "no address"), ADDRESS_NEVER);
	const struct sockaddr_storage odd = {.ss_family = AF_UNIX};
	assert_int_equal(networks_judge(&all, (const struct sockaddr *)&odd), ADDRESS_NEVER);
}

static void listens(struct networks *ns, const char *text)
{
	struct sockaddr_storage at;
	assert_int_equal(listen_parse(text, &at, NULL), OK);
	networks_set_self(ns, (const struct sockaddr *)&at);
}

static void test_the_centre_is_no_node_of_itself(void **state)
{
	static const struct {
		const char *listen, *url;
		bool self;
	} rows[] = {
		{"127.0.0.1:7100", "http://127.0.0.1:7100", true},
		{"127.0.0.1:7100", "http://127.0.0.1:7100/prefix", true},
		{"127.0.0.1:7100", "https://127.0.0.1:7100", true},
		{"127.0.0.1:7100", "http://localhost:7100", true},
		{"127.0.0.1:7100", "http://[::ffff:127.0.0.1]:7100", true},
		{"127.0.0.1:7100", "http://127.0.0.1:7101", false},
		{"127.0.0.1:7100", "http://127.0.0.2:7100", false},
		{"127.0.0.1:80", "http://127.0.0.1", true}, {"127.0.0.1:443", "https://127.0.0.1/", true},
		{"127.0.0.1:443", "http://127.0.0.1/", false}, {"[::1]:7100", "http://[::1]:7100", true},
		{"[::1]:7100", "http://127.0.0.1:7100", false},
		{"0.0.0.0:7100", "http://127.3.3.3:7100", true}, {"0.0.0.0:7100", "http://[::1]:7100", true},
		{"[::]:7100", "http://127.0.0.1:7100", true},
		{"0.0.0.0:7100", "http://127.0.0.1:7101", false},
		{"0.0.0.0:7100", "http://192.0.2.1:7100", false}, /* of no machine */
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct networks ns = {0};
		struct reason why = {""};
		networks_add_loopback(&ns);
		assert_int_equal(networks_add(&ns, "192.0.2.0/24", NULL), OK);
		ns.plain_http = true;
		listens(&ns, rows[i].listen);
		enum err e = node_url_check(&ns, rows[i].url, &why);
		if (e != (rows[i].self ? DENIED : OK) ||
			(rows[i].self && !strstr(why.text, "the centre's own")))
			fail_msg("row %zu: %s %s", i, err_name(e), why.text);
	}
}

/* Where tokens may travel in the clear: on this machine, or where that was asked for by name. */
static void test_plain_http_beyond_loopback(void **state)
{
	static const char *const far[] = {"10.0.0.7", "::ffff:10.0.0.7", "fd00::1", "0.0.0.0", "::", "x", ""};
	static const char *const near[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
	struct networks ns = {0};
	struct reason why;
	(void)state;
	assert_int_equal(networks_add(&ns, "0.0.0.0/0", &why), OK);
	assert_int_equal(networks_add(&ns, "::/0", &why), OK);
	networks_add_loopback(&ns);
	for (unsigned i = 0; i < 4; i++)
		assert_true(networks_allow_plain_text(&ns, near[i]));
	for (unsigned i = 0; i < 7; i++)
		assert_false(networks_allow_plain_text(&ns, far[i]));
	assert_int_equal(node_url_check(&ns, "http://10.0.0.7:7101", &why), DENIED);
	assert_non_null(strstr(why.text, "--allow-plain-http"));
	assert_int_equal(node_url_check(&ns, "http://[fd00::1]:7101", &why), DENIED);
	assert_int_equal(node_url_check(&ns, "https://10.0.0.7:7101", &why), OK);
	assert_int_equal(node_url_check(&ns, "http://localhost:7101", &why), OK);
	assert_int_equal(node_url_check(&ns, "http://127.9.9.9:7101", &why), OK);
	ns.plain_http = true;
	for (unsigned i = 0; i < 7; i++)
		assert_true(networks_allow_plain_text(&ns, far[i]));
	assert_int_equal(node_url_check(&ns, "http://10.0.0.7:7101", &why), OK);
	assert_int_equal(node_url_check(&ns, "http://shop-1.example", &why), OK);
}

static const struct {
	const char *url, *name; /* NULL: not to be looked up */
	unsigned port;
} hosts[] = {
	{"http://shop-1.example:7101", "shop-1.example", 7101},
	{"http://shop-1.example", "shop-1.example", 80},
	{"https://shop-1.example/prefix", "shop-1.example", 443},
	{"https://shop-1.example:8443/prefix", "shop-1.example", 8443},
	{"http://127.0.0.1:7101", NULL, 0},
	{"http://[::1]:7101/x", NULL, 0},
	{"http://LocalHost:7101", NULL, 0},
};

static void test_names_are_told_from_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		char name[ADDRESS_HOST_MAX + 1] = "";
		unsigned port = 0;
		if (node_url_name(hosts[i].url, name, &port) != (hosts[i].name != NULL))
			fail_msg("%s", hosts[i].url);
		assert_string_equal(name, hosts[i].name ? hosts[i].name : "");
		assert_int_equal(port, hosts[i].port);
	}
}

/* The part before the path; 0: refused. */
static const struct {
	const char *url;
	size_t origin;
} hooks[] = {
	{"http://127.0.0.1:8080/hook", 21},
	{"https://hooks.example/services/T0/B0?x=1&y=%20", 21},
	{"https://10.1.2.3", 16},
	{"http://[::1]:80/", 15},
	{"http://localhost:1/a", 18},
	{"http://host?x=1", 0},
	{"http://user:word@host/", 0},
	{"http://host/#part", 0},
	{"http://host/a b", 0},
	{"http://host/\r\nX: y", 0},
	{"http://host:0/", 0},
	{"http:///path", 0},
	{"ftp://host/", 0},
	{"file:///etc/passwd", 0},
	{"", 0},
};

static void test_which_are_of_this_machine(void **state)
{
	static const char *const near[] = {"http://127.0.0.1:7101", "https://127.9.9.9",
		"http://[::1]:1/prefix", "http://localhost:7101", "http://LOCALHOST",
		"http://shop.localhost.:7101", "http://[::ffff:127.0.0.1]:7101"};
	static const char *const far[] = {"http://10.0.0.1:7101", "http://[fd00::1]:7101",
		"http://shop-1.example", "http://localhost.example", "http://notlocalhost", "127.0.0.1:7101",
		""};
	(void)state;
	for (size_t i = 0; i < sizeof near / sizeof *near; i++)
		if (!node_url_is_loopback(near[i]))
			fail_msg("%s", near[i]);
	for (size_t i = 0; i < sizeof far / sizeof *far; i++)
		if (node_url_is_loopback(far[i]))
			fail_msg("%s", far[i]);
	assert_true(addresses_are_loopback("127.0.0.1"));
	assert_true(addresses_are_loopback("[::1],10.0.0.1"));
	assert_true(addresses_are_loopback("127.0.0.1,10.0.0.1"));
	assert_false(addresses_are_loopback("10.0.0.1,127.0.0.1"));
	assert_false(addresses_are_loopback("[2001:db8::1]"));
	assert_false(addresses_are_loopback(""));
	assert_false(
		addresses_are_loopback("[0000000000000000000000000000000000000000000000000000000000000001]"));
}

static void test_where_notifications_may_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
		struct reason why = {""};
		size_t origin = 0;
		enum err e = hook_url_check(hooks[i].url, &origin, &why);
		if (e != (hooks[i].origin ? OK : INVALID) || origin != hooks[i].origin)
			fail_msg("%s: %s %zu (%s)", hooks[i].url, err_name(e), origin, why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks_are_parsed_strictly),
		cmocka_unit_test(test_addresses_are_judged_by_bits),
		cmocka_unit_test(test_what_no_network_allows),
		cmocka_unit_test(test_the_centre_is_no_node_of_itself),
		cmocka_unit_test(test_urls_are_judged_by_table),
		cmocka_unit_test(test_plain_http_beyond_loopback),
		cmocka_unit_test(test_names_are_told_from_addresses),
		cmocka_unit_test(test_which_are_of_this_machine),
		cmocka_unit_test(test_where_notifications_may_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
