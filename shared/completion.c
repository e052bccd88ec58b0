#include "shared/completion.h"

#include <ctype.h>
#include <string.h>

/* --- the line's words --- */

/* Takes quotes and backslashes away, as a shell does; *at moves behind the word. */
static char *take_word(const char **at, struct arena *a)
{
	struct buf word = {0};
	char quote = 0;

	for (; **at && (quote || !isspace((unsigned char)**at)); (*at)++) {
		if (quote && **at == quote)
			quote = 0;
		else if (!quote && (**at == '\'' || **at == '"'))
			quote = **at;
		else if (quote != '\'' && **at == '\\' && (*at)[1])
			buf_char(&word, *++*at);
		else
			buf_char(&word, **at);
	}
	char *copy = arena_copy(a, word.at ? word.at : "", word.len);
	buf_done(&word);
	return copy;
}

/* The last word, which is empty behind a blank, is what is being typed; the first is the program. */
static void split(const char *line, struct completed *r)
{
	r->before = arena_alloc(&r->memory, (strlen(line) + 2) * sizeof *r->before);
	for (;;) {
		line += strspn(line, " \t\n");
		char *word = take_word(&line, &r->memory);

		if (!*line) {
			r->typed = word;
			return;
		}
		r->before[r->n_before++] = word;
	}
}

/* --- what is known of the options --- */

static const struct option *find_option(const struct options *o, struct span name)
{
	const struct option *opt;

	for (size_t i = 0; (opt = options_shown(o, i)); i++)
		if (span_is(name, opt->name))
			return opt;
	return NULL;
}

static void add_options(const struct completion *c, const struct option_list *words, struct completed *r)
{
	const struct option *opt;

	for (size_t i = 0; (opt = options_shown(c->options, i)); i++) {
		struct buf word = {0};

		buf_printf(&word, "--%s", opt->name);
		if (option_is_for(opt, c->command, words))
			completion_add(r, buf_span(&word), opt->help);
		buf_done(&word);
	}
}

/* --- what a word may be --- */

/* "id|written" or "id written" */
static void add_choices(struct span choices, struct completed *r)
{
	for (size_t i = 0, n; i < choices.len; i += n + 1) {
		for (n = 0; i + n < choices.len && !strchr("| ", choices.at[i + n]); n++)
			;
		completion_add(r, (struct span){choices.at + i, n}, "");
	}
}

static void add_wanted(struct span what, struct completed *r)
{
	if (what.len >= 4 && memcmp(what.at, "FILE", 4) == 0)
		buf_text(&r->words, COMPLETION_FILES "\n");
	else if (what.len >= 4 && memcmp(what.at, "NODE", 4) == 0)
		r->wants |= COMPLETION_NODES;
	else if (span_is(what, "OWNER/ID") || span_is(what, "KEY"))
		r->wants |= COMPLETION_OWNERS;
	else if (what.len && islower((unsigned char)what.at[0]))
		add_choices(what, r);
}

static void add_values(const struct option *opt, struct completed *r)
{
	if (opt->type == OPTION_CHOICE)
		add_choices(span_of(opt->choices), r);
	else if (opt->type == OPTION_FLAG)
		add_choices(span_of("true false"), r);
	else if (opt->value)
		add_wanted(span_of(opt->value), r);
}

/* --- a command's usage --- */

/* The next word without its brackets; empty at the end. */
static struct span next_token(const char **at)
{
	*at += strspn(*at, " []");
	struct span token = {*at, strcspn(*at, " []")};

	*at += token.len;
	return token;
}

/* Is `word` what the usage wants there? */
static bool fits(struct span token, const char *word)
{
	if (!islower((unsigned char)token.at[0]))
		return true;
	for (size_t i = 0, n; i < token.len; i += n + 1) {
		for (n = 0; i + n < token.len && token.at[i + n] != '|'; n++)
			;
		if (span_is((struct span){token.at + i, n}, word))
			return true;
	}
	return false;
}

static bool repeats(struct span token)
{
	static const char dots[] = "…";

	return token.len >= sizeof dots - 1 &&
	       memcmp(token.at + token.len - (sizeof dots - 1), dots, sizeof dots - 1) == 0;
}

/* Behind `at`, an option of the usage: its value, too. */
static void skip_option(const struct options *o, struct span token, const char **at)
{
	const struct option *opt =
		token.len > 2 ? find_option(o, (struct span){token.at + 2, token.len - 2}) : NULL;

	if (opt && opt->type != OPTION_FLAG)
		(void)next_token(at);
}

/* What one alternative of the usage wants behind these arguments; *at moves behind it. */
static struct span wanted_behind(const struct options *o, const char **at, const struct option_list *args)
{
	struct span wanted = {"", 0};
	bool good = true;
	size_t i = 0;

	for (struct span token; (token = next_token(at)).len && !span_is(token, "|");) {
		if (token.at[0] == '-')
			skip_option(o, token, at);
		else if (!good || wanted.len)
			continue;
		else if (i == args->n || repeats(token))
			wanted = token;
		else
			good = fits(token, args->at[i++]);
	}
	return good ? wanted : (struct span){"", 0};
}

static void add_arguments(const struct completion *c, const struct option_command *command,
	const struct option_list *args, struct completed *r)
{
	const char *at = command->usage;

	(void)next_token(&at); /* its name */
	while (*at)
		add_wanted(wanted_behind(c->options, &at, args), r);
}

/* --- the line --- */

/* What stands before the word at the end. */
struct place {
	struct option_list args;     /* that are no options: the command, and its own */
	const struct option *option; /* whose value comes next */
	bool ended;                  /* by "--": no more options */
};

static struct place look(const struct completion *c, struct completed *r)
{
	struct place p = {.args = {arena_alloc(&r->memory, ((size_t)r->n_before + 1) * sizeof(char *)), 0}};

	for (int i = 1; i < r->n_before; i++) {
		const char *word = r->before[i];

		if (p.option) {
			p.option = NULL;
		} else if (!p.ended && strcmp(word, "--") == 0) {
			p.ended = true;
		} else if (!p.ended && word[0] == '-' && word[1] == '-') {
			const struct option *opt = find_option(c->options, span_of(word + 2));

			p.option = opt && opt->type != OPTION_FLAG ? opt : NULL;
		} else if (p.ended || word[0] != '-' || !word[1]) {
			p.args.at[p.args.n++] = word;
		}
	}
	return p;
}

static void add_commands(const struct completion *c, struct completed *r)
{
	struct option_command command;

	for (size_t i = 0; c->command && c->command(i, &command); i++)
		completion_add(r, span_of(command.name), command.help);
}

/* A word that begins with "-". */
static void add_dashed(const struct completion *c, const struct option_list *words, struct completed *r)
{
	const char *equals = strchr(r->typed, '=');
	const struct option *opt;

	if (!equals) {
		add_options(c, words, r);
		return;
	}
	opt = strncmp(r->typed, "--", 2) == 0
		      ? find_option(c->options, (struct span){r->typed + 2, (size_t)(equals - r->typed - 2)})
		      : NULL;
	r->typed = equals + 1;
	if (opt)
		add_values(opt, r);
}

void completion_read(const struct completion *c, const char *line, struct completed *ret)
{
	struct option_command command = {0};
	struct place p;

	*ret = (struct completed){0};
	split(line, ret);
	p = look(c, ret);
	bool known = p.args.n && option_command_find(c->command, span_of(p.args.at[0]), &command);
	if (p.option) {
		ret->n_before--; /* it has no value yet */
		add_values(p.option, ret);
	} else if (!p.ended && ret->typed[0] == '-') {
		add_dashed(c, &p.args, ret);
	} else if (!p.args.n) {
		add_commands(c, ret);
	} else if (known) {
		const struct option_list rest = {p.args.at + 1, p.args.n - 1};

		add_arguments(c, &command, &rest, ret);
	}
}

void completion_add(struct completed *r, struct span word, const char *help)
{
	size_t n = strlen(r->typed);

	if (word.len < n || memcmp(word.at, r->typed, n) != 0)
		return;
	buf_put(&r->words, word);
	buf_printf(&r->words, "\t%s\n", help);
}

void completed_done(struct completed *r)
{
	buf_done(&r->words);
	arena_done(&r->memory);
}
