#include "tests/support/json_cases.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TABLE "tests/support/json_cases"

static void read_all(const char *path, struct buf *to)
{
	char block[65536];
	FILE *f = fopen(path, "rb");

	if (!f)
		fail_msg("%s: cannot be read; tests run from the top of the tree", path);
	for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
		buf_add(to, block, n);
	fclose(f);
	assert_false(buf_failed(to));
}

/* <ff> is a byte, <3*ab> is ababab; the rest stands for itself. */
static void expand(struct span text, struct buf *to)
{
	const char *at = text.at, *end = at + text.len;

	while (at < end) {
		const char *close = *at == '<' ? memchr(at, '>', (size_t)(end - at)) : NULL;
		char *after;

		if (!close) {
			buf_char(to, *at++);
			continue;
		}
		const char *times = memchr(at, '*', (size_t)(close - at));

		if (times) {
			for (unsigned long n = strtoul(at + 1, NULL, 10); n > 0; n--)
				buf_add(to, times + 1, (size_t)(close - times) - 1);
		} else {
			buf_char(to, (char)strtoul(at + 1, &after, 16));
			assert_ptr_equal(after, close);
		}
		at = close + 1;
	}
}

static void give(
	json_case_fn *each, void *ctx, enum json_verdict verdict, const struct buf *text, unsigned line)
{
	char *copy = malloc(text->len ? text->len : 1);

	assert_non_null(copy);
	if (text->len)
		memcpy(copy, text->at, text->len);
	each(ctx, &(struct json_case){verdict, {copy, text->len}, line});
	free(copy);
}

static enum json_verdict verdict_of(struct span line, size_t *ret_text)
{
	static const char *const words[] = {[JSON_YES] = "yes", [JSON_NO] = "no", [JSON_MORE] = "more"};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		size_t len = strlen(words[i]);

		if (line.len >= len && memcmp(line.at, words[i], len) == 0 &&
			(line.len == len || line.at[len] == ' ')) {
			*ret_text = line.len == len ? len : len + 1;
			return (enum json_verdict)i;
		}
	}
	fail_msg(TABLE ": no verdict in \"%.*s\"", (int)line.len, line.at);
	return JSON_NO;
}

static unsigned each_of_table(json_case_fn *each, void *ctx)
{
	struct buf table = {0}, text = {0};
	unsigned n = 0, number = 0;

	read_all(TABLE, &table);
	for (const char *at = table.at, *end = at + table.len, *stop; at < end; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		assert_non_null(stop);
		struct span line = {at, (size_t)(stop - at)};
		size_t from = 0;

		number++;
		if (line.len == 0 || *at == '#')
			continue;
		enum json_verdict verdict = verdict_of(line, &from);

		buf_clear(&text);
		expand((struct span){at + from, line.len - from}, &text);
		give(each, ctx, verdict, &text, number);
		n++;
	}
	buf_done(&table);
	buf_done(&text);
	return n;
}

/* What is left to the implementation there: we take every number, and nothing else. */
static enum json_verdict verdict_of_name(const char *name)
{
	if (strcmp(name, "y_object_escaped_null_in_key.json") == 0 ||
		strcmp(name, "y_string_null_escape.json") == 0)
		return JSON_MORE;
	return name[0] == 'y' || strncmp(name, "i_number", 8) == 0 ? JSON_YES : JSON_NO;
}

static unsigned each_of_folder(const char *folder, json_case_fn *each, void *ctx)
{
	unsigned n = 0;
	DIR *d = opendir(folder);

	if (!d)
		fail_msg("TIDEMARK_JSON_CORPUS: %s is no folder", folder);
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024];
		struct buf text = {0};

		if (!strchr("yni", e->d_name[0]) || e->d_name[1] != '_')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		read_all(path, &text);
		print_message("%s\n", e->d_name);
		give(each, ctx, verdict_of_name(e->d_name), &text, 0);
		buf_done(&text);
		n++;
	}
	closedir(d);
	assert_true(n > 0);
	return n;
}

unsigned json_cases_each(json_case_fn *each, void *ctx)
{
	const char *folder = getenv("TIDEMARK_JSON_CORPUS");
	unsigned n = each_of_table(each, ctx);

	assert_true(n > 400);
	return folder && *folder ? n + each_of_folder(folder, each, ctx) : n;
}
