/*
 * json - cJSON's door: control messages, never records.
 *
 * json_doc_parse() runs json_check() first and refuses duplicate keys, so cJSON only
 * ever sees strict text.  A doc belongs to one thread at a time.  Getters name the path
 * in their reason ("witness.seq: not an integer").
 */
#ifndef SHARED_JSON_H
#define SHARED_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

struct json_doc;

enum err json_doc_parse(struct json_doc **ret, struct span text, struct reason *why) MUST_USE;
void json_doc_free(struct json_doc *d);

/*
 * `path` is keys and array places joined by dots: "backlog.pull", "nodes.0.name".
 * INVALID when the type is another, GONE when it is absent or null.
 * Texts and sub-documents live as long as the doc they came from.
 */
enum err json_doc_text(
	const struct json_doc *d, const char *path, const char **ret, struct reason *why) MUST_USE;
enum err json_doc_u64(const struct json_doc *d, const char *path, uint64_t *ret, struct reason *why) MUST_USE;
enum err json_doc_i64(const struct json_doc *d, const char *path, int64_t *ret, struct reason *why) MUST_USE;
enum err json_doc_bool(const struct json_doc *d, const char *path, bool *ret, struct reason *why) MUST_USE;
enum err json_doc_number(
	const struct json_doc *d, const char *path, double *ret, struct reason *why) MUST_USE;
/* How many members the array at `path` has ("" = the document itself); 0 when it is none. */
size_t json_doc_count(const struct json_doc *d, const char *path);

#endif
