/*
 * options - one table gives flags, environment, file, checks, --help, --print-config.
 *
 * Order: flag > environment (PREFIX_NAME) > --config FILE ("key = value", # comments) > systemd's credential > default.
 * An unknown key names the file, the line and the nearest key.
 */
#ifndef SHARED_OPTIONS_H
#define SHARED_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"

enum option_type {
	OPTION_TEXT,    /* const char ** */
	OPTION_URL,     /* const char **; a password in it is not shown */
	OPTION_LIST,    /* struct option_list *: may be given several times; in a file, separated by blanks */
	OPTION_URLS,    /* the same, of URLs whose paths may be secrets: only where they go is shown */
	OPTION_FLAG,    /* bool * */
	OPTION_INTEGER, /* int64_t *, with min and max */
	OPTION_NUMBER,  /* double *, with min and max */
	OPTION_DURATION, /* int64_t * in ms: 500ms, 1s, 5m, 2h */
	OPTION_CHOICE,   /* const char **, one of `choices` */
};

struct option_list {
	const char **at;
	size_t n;
};

struct option {
	const char *name; /* "poll-interval" */
	enum option_type type;
	void *to;
	const char *preset;  /* the default as text; NULL = none (NULL, empty, 0, false) */
	double min, max;     /* numbers; both 0 = any; durations in ms */
	const char *choices; /* "logfmt json" */
	const char *value;   /* for --help: "URL" */
	const char *help;
};

struct options {
	const char *program;
	const char *usage;       /* the lines after "Usage:" */
	const char *prologue;    /* before the options in --help; may be NULL, as the next */
	const char *epilogue;    /* after them */
	const char *environment; /* "TIDEMARK" */
	const struct option *at;
	size_t n;
	bool positional; /* arguments that are no option are allowed and handed back */
	/* An option NAME-file, or of a TLS file (tls-NAME), without a value takes the file NAME or tls-NAME of
	 * $CREDENTIALS_DIRECTORY, where there is one with more in it than a line end. */
	bool credentials;
	/* Names with blanks between them, for options_reread(): those that may change while the program runs, and those
	 * that say nothing to a program that keeps running.  Every other one needs a restart. */
	const char *reloads, *ignored;
};

/* One that is another than in the running program; `before` and `after` as --print-config shows them. */
struct option_change {
	const struct option *option;
	bool needs_restart;
	struct buf before, after;
};
struct option_changes {
	struct option_change *at;
	size_t n;
};
void option_changes_done(struct option_changes *c);

/* What a program logs of settings that it read again: each change (setting.changed, setting.refused), then how many. */
struct reloaded {
	int64_t changed, refused;
};
void option_changes_tell(const struct option_changes *c, struct reloaded *ret);
void option_content_tell(
	const char *option, const char *content, struct reloaded *ret); /* of a file it names */
void reloaded_tell(const struct reloaded *r);
void reload_failed_tell(const struct reason *why);

enum options_do { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_CHECK, OPTIONS_PRINT };

/*
 * Reads everything; --config, --check-config, --print-config, --version, --help are its own.  Options may
 * stand anywhere; `--` ends them.  *ret_args: the positional arguments (pointers into argv).  INVALID: usage
 * error, the reason says what to do.  Values live until options_free() (a process calls it last).
 */
enum err options_read(const struct options *o, int argc, char **argv, enum options_do *ret_do,
	struct option_list *ret_args, struct reason *why) MUST_USE;
/*
 * Reads the same table, arguments and environment again, and the file anew.  An option that needs a restart keeps the value
 * that it has; *ret says what else is wanted of it, too.  All values given out before stay valid.  The values read are the
 * running ones only after options_adopt(); until then, and after a failure, the next call compares with those before.
 */
enum err options_reread(const struct options *o, int argc, char **argv, struct option_changes *ret,
	struct reason *why) MUST_USE;
void options_adopt(const struct options *o);
void options_help(const struct options *o, struct buf *out);
/* The i-th that --help lists, the program's own and then those that every program has; NULL behind the last. */
const struct option *options_shown(const struct options *o, size_t i);
void options_print(
	const struct options *o, struct buf *out); /* key = value, with where it came from as a comment */
/* Appends what was asked for alone: help, version or settings.  False: nothing was, the values are to be checked. */
bool options_answer(const struct options *o, enum options_do todo, struct buf *out);
/* To standard output, to its end; `out` is done.  RETRY: it could not be written. */
enum err options_write(struct buf *out, struct reason *why) MUST_USE;
void options_free(void);

/* How many letters must change, come or go between two names; a long name is nobody's misspelling. */
size_t options_distance(struct span a, struct span b);

bool option_parse_duration(const char *text, int64_t *ret_ms) MUST_USE;
#define OPTION_SECRET_MIN 16 /* characters: nobody guesses 16 of chance */
/*
 * A small file that holds one word, or two, one a line: a token, and the one before it (secrets.h).  For who takes them: all of
 * it, without its last line end.  INVALID: too short, too large, open to others than its owner and, where that is root, its
 * group.  What *ret held is wiped.
 */
#define SECRETS_MAX 2
enum err option_read_secrets(const char *path, struct buf *ret, struct reason *why) MUST_USE;
/* For who shows it: the first alone. */
enum err option_read_secret(const char *path, struct buf *ret, struct reason *why) MUST_USE;
/* The whole of a file of certificates or, `secret`, of a key, which others may not read; errors as above. */
enum err option_read_pem(const char *path, bool secret, struct buf *ret, struct reason *why) MUST_USE;
void option_secret_done(struct buf *secret); /* wipes it, and buf_done() */

#endif
