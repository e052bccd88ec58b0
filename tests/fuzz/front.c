#include "tests/fuzz/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/entropy.h"
#include "shared/json_check.h"
#include "shared/listen.h"
#include "shared/server.h"
#include "tests/fuzz/fuzz.h"

/* --- chance, in place of shared/entropy.o --- */

static _Atomic uint64_t chance;

void front_chance_anew(void)
{
	chance = 0;
}

void entropy_bytes(void *at, size_t len)
{
	unsigned char *to = at;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = (chance++ + 1) * UINT64_C(0x9e3779b97f4a7c15);

		to[i] = (unsigned char)(z >> 56);
	}
}

/* --- what is sent --- */

static void put_length(struct buf *out, size_t head, size_t length)
{
	static const char wish[] = "Content-Length: @";
	char *at = memmem(out->at, head, wish, sizeof wish - 1);

	if (!at)
		return;
	struct buf rest = {0};

	buf_put(&rest,
		(struct span){at + sizeof wish - 1, out->len - (size_t)(at - out->at) - sizeof wish + 1});
	out->len = (size_t)(at - out->at) + sizeof wish - 2;
	buf_printf(out, "%zu", length);
	buf_put(out, buf_span(&rest));
	buf_done(&rest);
}

static void compose(struct span input, struct buf *out)
{
	const char *at = input.at, *end = at + input.len;

	if (input.len > 0 && *at == '!') {
		buf_put(out, (struct span){at + 1, input.len - 1});
		return;
	}
	bool empty = false; /* the line so far */

	for (; at < end; at++) {
		if (*at != '\n') {
			buf_char(out, *at);
			empty = false;
			continue;
		}
		buf_text(out, "\r\n");
		if (empty)
			break;
		empty = true;
	}
	if (at < end) {
		size_t head = out->len;

		at++;
		buf_put(out, (struct span){at, (size_t)(end - at)});
		put_length(out, head, (size_t)(end - at));
	}
	MUST(!buf_failed(out));
}

/* --- what comes back --- */

/* libFuzzer's alarm, which looks for inputs that hang, interrupts whoever waits. */

static int wait_for(struct pollfd *p)
{
	int n;

	while ((n = poll(p, 1, FRONT_PATIENCE_MS)) < 0)
		MUST(errno == EINTR);
	return n;
}

static int connect_to(int fd, const struct sockaddr_storage *to)
{
	int n;

	while ((n = connect(fd, (const struct sockaddr *)to, sizeof(struct sockaddr_in))) < 0)
		MUST(errno == EINTR);
	return n;
}

/* Sends all while reading what comes, until the peer ends. */
static void converse(int fd, struct span out, struct buf *in)
{
	char block[65536];
	bool ended = false;

	if (out.len == 0)
		shutdown(fd, SHUT_WR);
	while (!ended) {
		struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (out.len ? POLLOUT : 0))};

		MUST(wait_for(&p) == 1);
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t n = recv(fd, block, sizeof block, 0);

			ended = n <= 0;
			if (n > 0)
				buf_add(in, block, (size_t)n);
		} else if (p.revents & POLLOUT) {
			ssize_t n = send(fd, out.at, out.len, MSG_NOSIGNAL);

			out = n < 0 ? (struct span){out.at, 0}
				    : (struct span){out.at + n, out.len - (size_t)n};
			if (out.len == 0)
				shutdown(fd, SHUT_WR);
		}
	}
}

static void complain(const char *what, struct span sent, struct span answer)
{
	fprintf(stderr, "%s\n--- sent\n%.*s\n--- came\n%.*s\n", what, (int)sent.len, sent.at, (int)answer.len,
		answer.at);
	abort();
}

struct answer {
	int status;
	struct span head, body;
	struct span type, length;
	bool ours; /* not libmicrohttpd's own */
};

static bool header(struct span line, const char *name, struct span *ret)
{
	size_t len = strlen(name);

	if (line.len <= len + 1 || strncasecmp(line.at, name, len) != 0 || line.at[len] != ':')
		return false;
	*ret = (struct span){line.at + len + 2, line.len - len - 2};
	return true;
}

/* The head at the front; false: there is none. */
static bool read_head(struct span text, struct answer *a)
{
	const char *stop = memmem(text.at, text.len, "\r\n\r\n", 4);
	struct span nosniff;

	*a = (struct answer){0};
	if (!stop || text.len < 14 || memcmp(text.at, "HTTP/1.", 7) != 0 || text.at[8] != ' ')
		return false;
	a->status = atoi(text.at + 9);
	a->head = (struct span){text.at, (size_t)(stop - text.at) + 4};
	for (const char *at = text.at, *end; at < stop; at = end + 2) {
		end = memmem(at, (size_t)(stop + 2 - at), "\r\n", 2);
		struct span line = {at, (size_t)(end - at)};

		for (const char *c = at; c < end; c++)
			if ((unsigned char)*c < ' ')
				return false;
		if (!header(line, "Content-Type", &a->type) && !header(line, "Content-Length", &a->length) &&
			header(line, "X-Content-Type-Options", &nosniff))
			a->ours = span_is(nosniff, "nosniff");
	}
	return a->status >= 100 && a->status < 600;
}

/* An answer to HEAD has a length and no body: then the next one, or the end, comes at once. */
static void take_body(struct span rest, struct answer *a)
{
	uint64_t length = 0;
	bool next = rest.len == 0 || (rest.len >= 7 && memcmp(rest.at, "HTTP/1.", 7) == 0);

	a->body = (struct span){rest.at, 0};
	if (a->length.at && !next && span_to_u64(a->length, SIZE_MAX, &length))
		a->body.len = length;
	else if (!a->length.at && a->status >= 200 && a->status != 204 && !next)
		a->body.len = rest.len; /* a stream: to the end */
}

static const char *check_json(const struct answer *a)
{
	struct json_value v;
	struct span text = a->body;

	if (span_is(a->type, "application/json") || span_is(a->type, "application/problem+json"))
		return text.len == 0 || json_check(text, &v, NULL) == OK ? NULL : "not JSON";
	if (!span_is(a->type, "application/x-ndjson"))
		return NULL;
	while (text.len > 0) {
		const char *end = memchr(text.at, '\n', text.len);

		if (!end)
			return "a line without its end";
		size_t len = (size_t)(end - text.at);
		struct json_iter it;
		struct json_value member;
		struct span key;

		/* an answer to a push may hold a record of the full depth, a level deeper */
		if (!json_open(&it, (struct span){text.at, len}))
			return "a line that is no object";
		it.frame = JSON_FRAME_MAX;
		while (json_next(&it, &key, &member))
			;
		if (!json_ended(&it))
			return "a line that is not JSON";
		text = (struct span){end + 1, text.len - len - 1};
	}
	return NULL;
}

static const char *check_answer(const struct answer *a)
{
	if (a->status >= 500 && a->status != 501 &&
		(a->status != 505 || a->ours)) /* what is not served at all */
		return a->ours ? "a fault of ours" : "a fault of libmicrohttpd's";
	if (a->status >= 400 && a->ours && !span_is(a->type, "application/problem+json"))
		return "a refusal that is no problem+json";
	return check_json(a);
}

static void read_answers(struct span sent, struct span text, struct front_answers *ret)
{
	struct answer a;

	*ret = (struct front_answers){0};
	while (text.len > 0) {
		if (!read_head(text, &a))
			complain("no head of an answer", sent, text);
		text = (struct span){text.at + a.head.len, text.len - a.head.len};
		take_body(text, &a);
		if (a.body.len > text.len)
			complain("an answer that is cut short", sent, a.head);
		const char *wrong = check_answer(&a);

		if (wrong)
			complain(wrong, sent, (struct span){a.head.at, a.head.len + a.body.len});
		text = (struct span){text.at + a.body.len, text.len - a.body.len};
		ret->n += a.status >= 200;
		ret->good += a.status >= 200 && a.status < 300;
	}
}

void front_connect(const struct router *router, struct span input, struct front_answers *ret)
{
	static struct server *server;
	struct server_config c = {.listen = "127.0.0.1:0", .router = router};
	struct sockaddr_storage to;
	struct buf out = {0}, in = {0};
	struct reason why;

	if (!server)
		MUST(server_open(&server, &c, &why) == OK);
	MUST(listen_parse(server_url(server) + strlen("http://"), &to, &why) == OK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && connect_to(fd, &to) == 0);
	compose(input, &out);
	converse(fd, buf_span(&out), &in);
	close(fd);
	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "%.*s\n%.*s\n", (int)out.len, out.at, (int)in.len, in.at ? in.at : "");
	read_answers(buf_span(&out), buf_span(&in), ret);
	buf_done(&out);
	buf_done(&in);
}
