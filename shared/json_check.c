#include "shared/json_check.h"

#include <endian.h>
#include <string.h>

#include "shared/utf8.h"

/* Where the scan stands; after a failure, where it stopped and why. */
struct scan {
	const char *at, *end;
	const char *cause;
	unsigned depth_max;
};

static bool stop(struct scan *s, const char *at, const char *cause)
{
	s->at = at;
	s->cause = cause;
	return false;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* The end of a run of ASCII that stands for itself: eight bytes a step, up to the first that needs a look. */
static inline const char *skip_plain(const char *at, const char *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t x;
		memcpy(&x, at, 8);
		x = le64toh(x);
		uint64_t quote = x ^ EACH_BYTE('"'), backslash = x ^ EACH_BYTE('\\');
		/* The top bit of each byte below 0x20, from 0x80 up, or zero in one of the two; a borrow only
		 * reaches bytes above such a one, so the lowest is right. */
		uint64_t hit = ((x - EACH_BYTE(0x20)) & ~x) | x | ((quote - EACH_BYTE(1)) & ~quote) |
			       ((backslash - EACH_BYTE(1)) & ~backslash);
		hit &= EACH_BYTE(0x80);
		if (hit)
			return at + __builtin_ctzll(hit) / 8;
	}
	while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
		*at != '\\')
		at++;
	return at;
}

/* Four hex digits, or -1. */
static int hex4(const char *at, const char *end)
{
	int n = 0;
	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i], lower = (char)(c | 0x20);
		if (!is_digit(c) && (lower < 'a' || lower > 'f'))
			return -1;
		n = n * 16 + (is_digit(c) ? c - '0' : lower - 'a' + 10);
	}
	return n;
}

/* What stands behind "\u"; gives the character and moves behind it, or fails. */
static bool scan_unicode(struct scan *s, const char *at, uint32_t *ret)
{
	int first = hex4(at, s->end), second = -1;
	if (first < 0)
		return stop(s, at, "\\u without four hex digits");
	if (first == 0)
		return stop(s, at, "\\u0000 is not allowed");
	if (first < 0xd800 || first > 0xdfff) {
		s->at = at + 4;
		*ret = (uint32_t)first;
		return true;
	}
	if (first <= 0xdbff && s->end - at >= 6 && at[4] == '\\' && at[5] == 'u')
		second = hex4(at + 6, s->end);
	if (second < 0xdc00 || second > 0xdfff)
		return stop(s, at, "a lone surrogate");
	s->at = at + 10;
	*ret = 0x10000 + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
	return true;
}

/* The escape whose backslash is at s->at. */
static bool scan_escape(struct scan *s)
{
	uint32_t character;
	const char *at = s->at + 1;
	if (at == s->end)
		return stop(s, at, "the text is not closed");
	if (*at == 'u')
		return scan_unicode(s, at + 1, &character);
	if (*at == '\0' || !strchr("\"\\/bfnrt", *at))
		return stop(s, at, "an unknown escape");
	s->at = at + 1;
	return true;
}

/* From behind the opening quote to behind the closing one. */
static bool scan_text(struct scan *s)
{
	for (;;) {
		s->at = skip_plain(s->at, s->end);
		if (s->at == s->end)
			return stop(s, s->at, "the text is not closed");
		unsigned char c = (unsigned char)*s->at;
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c == '\\') {
			if (!scan_escape(s))
				return false;
		} else if (c < 0x20) {
			return stop(s, s->at, "a control character in a text");
		} else {
			size_t len = utf8_length(s->at, (size_t)(s->end - s->at));
			if (len == 0)
				return stop(s, s->at, "not UTF-8");
			s->at += len;
		}
	}
}

static inline const char *skip_digits(const char *at, const char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

static bool scan_number(struct scan *s)
{
	const char *at = s->at, *end = s->end;
	if (at < end && *at == '-')
		at++;
	if (at == end || !is_digit(*at))
		return stop(s, at, "a digit is missing");
	at = *at == '0' ? at + 1 : skip_digits(at, end);
	if (at < end && *at == '.') {
		const char *digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return stop(s, at, "a digit is missing");
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		const char *digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return stop(s, at, "a digit is missing");
	}
	s->at = at;
	return true;
}

static bool scan_word(struct scan *s, const char *word, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return stop(s, s->at, "not a JSON value");
	s->at += len;
	return true;
}

/* Any value but an array or object. */
static inline bool scan_scalar(struct scan *s, enum json_kind *ret)
{
	if (s->at == s->end)
		return stop(s, s->at, "a value is missing");
	char c = *s->at;
	if (c == '"') {
		*ret = JSON_TEXT;
		s->at++;
		return scan_text(s);
	}
	if (c == '-' || is_digit(c)) {
		*ret = JSON_NUMBER;
		return scan_number(s);
	}
	if (c == 't') {
		*ret = JSON_TRUE;
		return scan_word(s, "true", 4);
	}
	if (c == 'f') {
		*ret = JSON_FALSE;
		return scan_word(s, "false", 5);
	}
	*ret = JSON_NULL;
	return scan_word(s, "null", 4);
}

/* A key, its colon and the blanks around it, up to the member's value. */
static inline bool scan_key(struct scan *s, struct span *ret)
{
	if (s->at == s->end || *s->at != '"')
		return stop(s, s->at, "a key is missing");
	const char *from = ++s->at;
	if (!scan_text(s))
		return false;
	*ret = (struct span){from, (size_t)(s->at - from) - 1};
	s->at = skip_blanks(s->at, s->end);
	if (s->at == s->end || *s->at != ':')
		return stop(s, s->at, "a colon is missing");
	s->at = skip_blanks(s->at + 1, s->end);
	return true;
}

/* Which of the open containers are objects: one bit each, the innermost lowest. */
struct nest {
	uint64_t objects[2];
	unsigned depth;
};
_Static_assert(JSON_DEPTH_MAX + JSON_FRAME_MAX <= 128, "a bit of struct nest for each");

static inline void push(struct nest *n, bool object)
{
	n->objects[1] = n->objects[1] << 1 | n->objects[0] >> 63;
	n->objects[0] = n->objects[0] << 1 | object;
	n->depth++;
}

static inline void pop(struct nest *n)
{
	n->objects[0] = n->objects[0] >> 1 | n->objects[1] << 63;
	n->objects[1] >>= 1;
	n->depth--;
}

enum step { STEP_FAILED, STEP_VALUE, STEP_DONE };

/* After a value: closes what ends here, until the next value is due or nothing is open. */
static enum step close_containers(struct scan *s, struct nest *n)
{
	while (n->depth > 0) {
		bool object = n->objects[0] & 1;
		struct span key;
		s->at = skip_blanks(s->at, s->end);
		if (s->at < s->end && *s->at == ',') {
			s->at = skip_blanks(s->at + 1, s->end);
			return object && !scan_key(s, &key) ? STEP_FAILED : STEP_VALUE;
		}
		if (s->at == s->end || *s->at != (object ? '}' : ']')) {
			stop(s, s->at, object ? "neither comma nor }" : "neither comma nor ]");
			return STEP_FAILED;
		}
		s->at++;
		pop(n);
	}
	return STEP_DONE;
}

/* At an opening bracket or brace: up to the first member's value, or behind it all when there is none. */
static enum step open_container(struct scan *s, struct nest *n)
{
	bool object = *s->at == '{';
	struct span key;
	if (n->depth == s->depth_max) {
		stop(s, s->at, "nested too deeply");
		return STEP_FAILED;
	}
	push(n, object);
	s->at = skip_blanks(s->at + 1, s->end);
	if (s->at < s->end && *s->at == (object ? '}' : ']'))
		return close_containers(s, n);
	return object && !scan_key(s, &key) ? STEP_FAILED : STEP_VALUE;
}

static bool scan_nested(struct scan *s)
{
	struct nest n = {0};
	enum json_kind kind;
	enum step step = open_container(s, &n);
	while (step == STEP_VALUE) {
		if (s->at < s->end && (*s->at == '{' || *s->at == '['))
			step = open_container(s, &n);
		else
			step = scan_scalar(s, &kind) ? close_containers(s, &n) : STEP_FAILED;
	}
	return step == STEP_DONE;
}

static inline bool scan_value(struct scan *s, struct json_value *ret)
{
	const char *from = s->at;
	enum json_kind kind;
	if (from < s->end && (*from == '{' || *from == '[')) {
		kind = *from == '{' ? JSON_OBJECT : JSON_ARRAY;
		if (!scan_nested(s))
			return false;
	} else if (!scan_scalar(s, &kind)) {
		return false;
	}
	*ret = (struct json_value){kind, {from, (size_t)(s->at - from)}};
	return true;
}

enum err json_check(struct span text, struct json_value *ret, struct reason *why)
{
	const char *end = text.at + text.len;
	struct scan s = {skip_blanks(text.at, end), end, NULL, JSON_DEPTH_MAX};
	struct json_value value;
	if (scan_value(&s, &value)) {
		s.at = skip_blanks(s.at, end);
		if (s.at == end) {
			*ret = value;
			return OK;
		}
		s.cause = "something follows the value";
	}
	return fail(INVALID, why, "byte %zu: %s", (size_t)(s.at - text.at) + 1, s.cause);
}

bool json_open(struct json_iter *it, struct span text)
{
	const char *end = text.at + text.len, *at = skip_blanks(text.at, end);
	if (at == end || (*at != '{' && *at != '['))
		return false;
	it->begin = text.at;
	it->at = at + 1;
	it->end = end;
	it->kind = *at == '{' ? JSON_OBJECT : JSON_ARRAY;
	it->first = true;
	it->closed = it->failed = false;
	it->frame = 0;
	it->why.text[0] = '\0';
	return true;
}

static bool iter_failed(struct json_iter *it, const struct scan *s)
{
	it->failed = true;
	it->at = s->at;
	return fail(INVALID, &it->why, "byte %zu: %s", (size_t)(s->at - it->begin) + 1, s->cause) == OK;
}

bool json_next(struct json_iter *it, struct span *key, struct json_value *ret)
{
	if (it->failed || it->closed)
		return false;
	struct scan s = {skip_blanks(it->at, it->end), it->end, NULL, JSON_DEPTH_MAX + it->frame};
	bool object = it->kind == JSON_OBJECT;
	if (s.at < s.end && *s.at == (object ? '}' : ']')) {
		it->closed = true;
		it->at = s.at + 1;
		return false;
	}
	if (!it->first) {
		if (s.at == s.end || *s.at != ',') {
			stop(&s, s.at, object ? "neither comma nor }" : "neither comma nor ]");
			return iter_failed(it, &s);
		}
		s.at = skip_blanks(s.at + 1, s.end);
	}
	struct span name = {NULL, 0};
	struct json_value value;
	if ((object && !scan_key(&s, &name)) || !scan_value(&s, &value))
		return iter_failed(it, &s);
	it->first = false;
	it->at = s.at;
	*ret = value;
	if (key)
		*key = name;
	return true;
}

/* Where the member's value begins; NULL: it is another. */
static inline const char *pass_key(const struct json_iter *it, struct span name)
{
	const char *at = it->at;
	if (!it->first) {
		if (at == it->end || *at != ',')
			return NULL;
		at++;
	}
	/* the quotes, the colon and what follows it */
	if ((size_t)(it->end - at) < name.len + 4 || at[0] != '"' || at[name.len + 1] != '"' ||
		at[name.len + 2] != ':' || memcmp(at + 1, name.at, name.len) != 0)
		return NULL;
	at += name.len + 3;
	return skip_blanks(at, it->end) == at ? at : NULL;
}

bool json_next_is(struct json_iter *it, struct span name, struct json_value *ret)
{
	if (it->failed || it->closed || it->kind != JSON_OBJECT)
		return false;
	struct scan s = {pass_key(it, name), it->end, NULL, JSON_DEPTH_MAX + it->frame};
	struct json_value value;
	if (!s.at)
		return false;
	if (!scan_value(&s, &value))
		return iter_failed(it, &s);
	it->first = false;
	it->at = s.at;
	*ret = value;
	return true;
}

bool json_ended(const struct json_iter *it)
{
	return it->closed && skip_blanks(it->at, it->end) == it->end;
}
