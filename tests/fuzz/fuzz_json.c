/* json_check against everything else that reads JSON here: all give the same verdict, however the text comes. */
#include <sys/mman.h>
#include <unistd.h>

#include "shared/json.h"
#include "shared/json_stream.h"
#include "tests/fuzz/fuzz.h"

/* How many members, by a walk; -1: it failed. */
static long walk(struct span text)
{
	struct json_iter it;
	struct json_value v;
	struct span key;
	long n = 0;

	if (!json_open(&it, text))
		return -1;
	while (json_next(&it, &key, &v)) {
		MUST(v.raw.at >= text.at && v.raw.at + v.raw.len <= text.at + text.len);
		n++;
	}
	MUST(it.failed == (it.why.text[0] != '\0'));
	return json_ended(&it) ? n : -1;
}

/* What a text stands for is written and read again as the same. */
static void check_text(const struct json_value *v)
{
	struct arena a = {0};
	struct buf out = {0};
	struct json_value again;
	struct span text = json_text(v, &a);

	buf_json_text(&out, text);
	MUST(json_check(buf_span(&out), &again, NULL) == OK && again.kind == JSON_TEXT);
	MUST(span_equal(json_text(&again, &a), text));
	MUST(json_key_is((struct span){v->raw.at + 1, v->raw.len - 2}, text));
	buf_done(&out);
	arena_done(&a);
}

static void check_value(struct span text, const struct json_value *v)
{
	struct buf line = {0};
	struct json_value again;
	bool container = v->kind == JSON_ARRAY || v->kind == JSON_OBJECT;

	json_put_on_one_line(v->raw, &line);
	MUST(line.len == v->raw.len && !memchr(line.at, '\n', line.len) && !memchr(line.at, '\r', line.len));
	MUST(json_check(buf_span(&line), &again, NULL) == OK && again.kind == v->kind &&
		again.raw.len == line.len);
	MUST((walk(text) >= 0) == container);
	if (container)
		MUST(json_find_close(v->raw.at, text.at + text.len) == v->raw.at + v->raw.len);
	if (v->kind == JSON_TEXT)
		check_text(v);
	buf_done(&line);
}

/* How many values the file holds, read by so many bytes; -1: it is wrong. */
static long stream(int fd, size_t len, size_t chunk)
{
	struct input in = {.name = "input", .fd = fd, .line = 1, .size = (int64_t)len, .chunk = chunk};
	struct json_stream v;
	struct json_value value;
	struct reason why;
	long n = 0;
	enum err e;

	MUST(lseek(fd, 0, SEEK_SET) == 0);
	e = json_stream_of_document(&v, &in, NULL, &why);
	while (e == OK && (e = json_stream_next(&v, &value, &why)) == OK)
		n++;
	MUST(e == GONE || e == INVALID);
	MUST(e == GONE || v.line >= 1);
	buf_done(&in.window);
	return e == GONE ? n : -1;
}

static void check_streams(struct span text, bool ok, const struct json_value *v)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len);
	long whole = stream(fd, text.len, 65536);

	for (size_t chunk = 1; chunk <= 3; chunk++)
		MUST(stream(fd, text.len, chunk) == whole);
	/* an array's members may each have the full depth, so it may hold a level more than a value */
	if (ok)
		MUST(whole == (v->kind == JSON_ARRAY ? walk(text) : 1));
	else if (whole >= 0)
		MUST(walk(text) == whole);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct span text = {copy, size};
	struct json_value v = {0};
	struct json_doc *d = NULL;
	struct reason why = {""};

	MUST(copy);
	if (size)
		memcpy(copy, data, size);
	bool ok = json_check(text, &v, &why) == OK;

	MUST(ok || strncmp(why.text, "byte ", 5) == 0);
	if (ok)
		check_value(text, &v);
	else
		(void)walk(text);
	check_streams(text, ok, &v);
	if (json_doc_parse(&d, text, &why) == OK) {
		MUST(ok);
		json_doc_free(d);
	} else {
		MUST(!ok || strstr(why.text, "is there twice"));
	}
	free(copy);
	return 0;
}
