/*
 * json_stream_private - the scan that json_stream.c does and json_stream_path.c follows a path by.
 */
#ifndef SHARED_JSON_STREAM_PRIVATE_H
#define SHARED_JSON_STREAM_PRIVATE_H

#include "shared/json_stream.h"

#define JSON_STREAM_END (-1)

/* The first failure stays; from then on the document seems to end. */
int json_stream_stop(struct json_stream *v, const char *what);
/* The next byte that is no blank; it is not taken. */
int json_stream_byte(struct json_stream *v);
/* A key is checked, and takes so many bytes; it is not taken. */
bool json_stream_pass_key(struct json_stream *v, struct json_value *ret, size_t *ret_len) MUST_USE;
void json_stream_pass_colon(struct json_stream *v);
/* Passes over what is open in `n` until all is closed; `due`: a value comes first. */
void json_stream_pass(struct json_stream *v, struct json_stream_nest n, bool due);
void json_stream_push(struct json_stream_nest *n, bool object);

/* To the value at the path, which is not taken; what is around it stands in v->open. */
bool json_stream_enter(struct json_stream *v, const char *path) MUST_USE;

#endif
