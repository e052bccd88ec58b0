/*
 * values_private - the scan that values.c does and values_path.c follows a path by.
 */
#ifndef SHARED_VALUES_PRIVATE_H
#define SHARED_VALUES_PRIVATE_H

#include "shared/values.h"

#define VALUES_END (-1)

/* The first failure stays; from then on the document seems to end. */
int values_stop(struct values *v, const char *what);
/* The next byte that is no blank; it is not taken. */
int values_byte(struct values *v);
/* A key is checked, and takes so many bytes; it is not taken. */
bool values_pass_key(struct values *v, struct json_value *ret, size_t *ret_len) MUST_USE;
void values_pass_colon(struct values *v);
/* Passes over what is open in `n` until all is closed; `due`: a value comes first. */
void values_pass(struct values *v, struct values_nest n, bool due);
void values_push(struct values_nest *n, bool object);

/* To the value at the path, which is not taken; what is around it stands in v->open. */
bool values_enter(struct values *v, const char *path) MUST_USE;

#endif
