/*
 * What somebody shows who signed in, or wants to: the Cookie header, a session, one secret of two.  Whatever the bytes are, only what
 * was handed out opens anything.  An input is a header's text, in which @ stands for a session that is good.
 */
#include "central/session.h"
#include "shared/hash.h"
#include "shared/http.h"
#include "shared/secrets.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "the-secret-of-the-centre"
#define BEFORE "the-secret-before-that-one"

static char good[SESSION_TEXT_BYTES], hash[KEY_HASH_BYTES];

static void hand_out(void)
{
	if (good[0])
		return;
	key_hash(span_of("tidemark_of-some-length"), hash);
	session_make(span_of(SECRET), "phone", hash, 1800000000, good);
}

static void compose(struct span input, struct buf *out)
{
	for (size_t i = 0; i < input.len; i++)
		if (input.at[i] == '@')
			buf_text(out, good);
		else
			buf_char(out, input.at[i]);
	MUST(!buf_failed(out));
}

/* A text that says what the good one says, and how it says it, is the good one. */
static void check_session(struct span text)
{
	struct session s;
	char other[KEY_HASH_BYTES];

	key_hash(span_of("tidemark_another"), other);
	if (!session_parse(text, &s)) {
		MUST(!span_is(text, good));
		return;
	}
	MUST(s.expires_s >= 0 && strlen(s.name) < sizeof s.name && strlen(s.seal) < sizeof s.seal);
	MUST(session_holds(&s, span_of(SECRET), hash) == span_is(text, good));
	MUST(!session_holds(&s, span_of(SECRET), other) && !session_holds(&s, span_of(BEFORE), hash));
}

static void check_secrets(struct span text)
{
	bool right = span_is(text, SECRET) || span_is(text, BEFORE);

	MUST(secrets_have(SECRET "\n" BEFORE, text) == right);
	MUST(secrets_have(SECRET, text) == span_is(text, SECRET));
	MUST(!secrets_have("", text) && !secrets_have(NULL, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf header = {0};
	char name[SESSION_COOKIE_BYTES];

	session_cookie_name(7100, name);
	hand_out();
	compose(fuzz_rest(&(struct fuzz){(const char *)data, (const char *)data + size}), &header);
	char *copy = fuzz_copy(buf_span(&header));
	struct span text = {copy, header.len};
	struct http_request q = {.cookie = text};
	struct span cookie = http_cookie(&q, name);

	MUST(cookie.at ? cookie.at >= copy && cookie.at + cookie.len <= copy + header.len : cookie.len == 0);
	check_session(cookie.at ? cookie : (struct span){"", 0});
	check_session(text);
	check_secrets(text);
	check_secrets(cookie.at ? cookie : (struct span){"", 0});
	free(copy);
	buf_done(&header);
	return 0;
}
