/* options_private - what the files of options share. */
#ifndef SHARED_OPTIONS_PRIVATE_H
#define SHARED_OPTIONS_PRIVATE_H

#include <stddef.h>

#include "shared/arena.h"
#include "shared/options.h"

enum option_source {
	SOURCE_NONE,
	SOURCE_DEFAULT,
	SOURCE_CREDENTIAL,
	SOURCE_FILE,
	SOURCE_ENVIRONMENT,
	SOURCE_FLAG
};

/* Where the i-th option's value came from. */
enum option_source options_source(size_t i);

static inline bool option_is_list(const struct option *opt)
{
	return opt->type == OPTION_LIST || opt->type == OPTION_URLS;
}

/* Sets *opt->to; a list gets the words of `text` added.  Texts are copied to the arena.  The reason names the
 * option. */
enum err option_set(const struct option *opt, const char *text, struct arena *a, struct reason *why) MUST_USE;
void option_clear(const struct option *opt); /* NULL, empty, 0 or false */
/* What *opt->to holds, by its type; texts and lists are pointed to. */
union option_value {
	const char *text;
	struct option_list list;
	bool flag;
	int64_t integer;
	double number;
};
union option_value option_value(const struct option *opt);
void option_put_back(const struct option *opt, union option_value v);
bool option_same(enum option_type type, union option_value a, union option_value b);
/* Does it hold a password? */
bool option_url_has_password(const char *url);
/* As --print-config shows it; nothing where it is not set. */
void option_show(const struct option *opt, union option_value v, struct buf *out);
void options_note_change(
	const struct option *opt, bool reloads, union option_value before, struct option_changes *ret);
/*
 * Refuses a name, and says which one was probably meant (options_near.c).  `where` and `dashes` stand before it; with dashes it
 * may be one that every program has.
 */
enum err options_unknown(
	const struct options *o, const char *where, const char *dashes, struct span name, struct reason *why);
/* Adds one value as it is, blanks and all. */
void option_list_add(struct option_list *list, const char *value, size_t len, struct arena *a);

#endif
