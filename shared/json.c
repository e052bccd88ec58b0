#include "shared/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shared/json_check.h"

/* cJSON keeps numbers as doubles: beyond this two integers share one. */
#define EXACT_MAX 9007199254740991.0

/* The array member found last: its neighbour is found without a walk from the front. */
struct last {
	const cJSON *array, *item;
	size_t place;
};

struct json_doc {
	cJSON *root;
	struct last *last;
};

static int order_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err check_object_keys(const cJSON *object, struct reason *why)
{
	size_t n = 0;
	for (const cJSON *m = object->child; m; m = m->next)
		n++;
	if (n < 2)
		return OK;
	const char **keys = calloc(n, sizeof *keys);
	if (!keys)
		return fail(RETRY, why, "out of memory");
	n = 0;
	for (const cJSON *m = object->child; m; m = m->next)
		keys[n++] = m->string;
	qsort(keys, n, sizeof *keys, order_keys);
	enum err e = OK;
	for (size_t i = 1; i < n && e == OK; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			e = fail(INVALID, why, "the key \"%s\" is there twice", keys[i]);
	free(keys);
	return e;
}

/* Depth is bounded by json_check(). */
static enum err check_keys(const cJSON *value, struct reason *why) // NOLINT(misc-no-recursion)
{
	enum err e = cJSON_IsObject(value) ? check_object_keys(value, why) : OK;
	for (const cJSON *m = value->child; m && e == OK; m = m->next)
		if (m->child)
			e = check_keys(m, why);
	return e;
}

enum err json_doc_parse(struct json_doc **ret, struct span text, struct reason *why)
{
	struct json_value value;
	enum err e = json_check(text, &value, why);
	if (e != OK)
		return e;
	struct json_doc *d = calloc(1, sizeof *d);
	if (!d)
		return fail(RETRY, why, "out of memory");
	d->last = calloc(1, sizeof *d->last);
	d->root = cJSON_ParseWithLength(value.raw.at, value.raw.len);
	e = d->last && d->root ? check_keys(d->root, why) : fail(RETRY, why, "out of memory");
	if (e != OK)
		json_doc_free(d);
	else
		*ret = d;
	return e;
}

void json_doc_free(struct json_doc *d)
{
	if (!d)
		return;
	cJSON_Delete(d->root);
	free(d->last);
	free(d);
}

static const cJSON *array_member(const cJSON *array, size_t place, struct last *last)
{
	bool near = last->array == array && last->place <= place;
	const cJSON *m = near ? last->item : array->child;
	for (size_t i = near ? last->place : 0; m && i < place; i++)
		m = m->next;
	if (m)
		*last = (struct last){array, m, place};
	return m;
}

static const cJSON *object_member(const cJSON *object, struct span key)
{
	const cJSON *m = object->child;
	while (m && !span_is(key, m->string))
		m = m->next;
	return m;
}

static const cJSON *find(const struct json_doc *d, const char *path)
{
	const cJSON *at = d->root;
	while (at && *path) {
		struct span step = {path, strcspn(path, ".")};
		uint64_t place;
		if (cJSON_IsObject(at))
			at = object_member(at, step);
		else if (cJSON_IsArray(at) && span_to_u64(step, SIZE_MAX, &place))
			at = array_member(at, (size_t)place, d->last);
		else
			at = NULL;
		path += step.len;
		if (*path == '.')
			path++;
	}
	return at;
}

static const char *said(const char *path)
{
	return *path ? path : "the document";
}

/* The value at `path` if it is of the type that `is` tells; `article` names that type. */
static enum err get(const struct json_doc *d, const char *path, cJSON_bool (*is)(const cJSON *),
	const char *article, const cJSON **ret, struct reason *why)
{
	const cJSON *m = find(d, path);
	if (!m || cJSON_IsNull(m))
		return fail(GONE, why, "%s: missing", said(path));
	if (!is(m))
		return fail(INVALID, why, "%s: not %s", said(path), article);
	*ret = m;
	return OK;
}

enum err json_doc_text(const struct json_doc *d, const char *path, const char **ret, struct reason *why)
{
	const cJSON *m;
	enum err e = get(d, path, cJSON_IsString, "a text", &m, why);
	if (e == OK)
		*ret = m->valuestring;
	return e;
}

enum err json_doc_i64(const struct json_doc *d, const char *path, int64_t *ret, struct reason *why)
{
	const cJSON *m;
	enum err e = get(d, path, cJSON_IsNumber, "an integer", &m, why);
	if (e != OK)
		return e;
	double n = m->valuedouble;
	if (!(n >= -EXACT_MAX && n <= EXACT_MAX) || n != trunc(n))
		return fail(INVALID, why, "%s: not an integer", said(path));
	*ret = (int64_t)n;
	return OK;
}

enum err json_doc_u64(const struct json_doc *d, const char *path, uint64_t *ret, struct reason *why)
{
	int64_t n;
	enum err e = json_doc_i64(d, path, &n, why);
	if (e != OK)
		return e;
	if (n < 0)
		return fail(INVALID, why, "%s: negative", said(path));
	*ret = (uint64_t)n;
	return OK;
}

enum err json_doc_bool(const struct json_doc *d, const char *path, bool *ret, struct reason *why)
{
	const cJSON *m;
	enum err e = get(d, path, cJSON_IsBool, "true or false", &m, why);
	if (e == OK)
		*ret = cJSON_IsTrue(m);
	return e;
}

enum err json_doc_number(const struct json_doc *d, const char *path, double *ret, struct reason *why)
{
	const cJSON *m;
	enum err e = get(d, path, cJSON_IsNumber, "a number", &m, why);
	if (e != OK)
		return e;
	if (!isfinite(m->valuedouble))
		return fail(INVALID, why, "%s: too large", said(path));
	*ret = m->valuedouble;
	return OK;
}

size_t json_doc_count(const struct json_doc *d, const char *path)
{
	const cJSON *m = find(d, path);
	return m && cJSON_IsArray(m) ? (size_t)cJSON_GetArraySize(m) : 0;
}
