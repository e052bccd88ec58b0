/*
 * choice - some of a world's steps, by their numbers: "3,9-12".
 */
#ifndef TESTS_SIM_CHOICE_H
#define TESTS_SIM_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#define CHOICE_MAX 4096 /* steps 1 to 4095 */

struct choice {
	unsigned char has[CHOICE_MAX];
};

bool choice_has(const struct choice *c, unsigned step);
void choice_put(struct choice *c, unsigned from, unsigned to, bool has);
/* False: not such a list. */
bool choice_read(struct choice *c, const char *text);
/* What is in it up to `steps`; cut at the text's size. */
void choice_write(const struct choice *c, unsigned steps, char *to, size_t size);
unsigned choice_count(const struct choice *c, unsigned steps);

#endif
