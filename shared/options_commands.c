#include "shared/options_commands.h"

#include <string.h>

#include "shared/options_private.h"

bool option_command_find(option_commands *commands, struct span name, struct option_command *ret)
{
	for (size_t i = 0; commands && commands(i, ret); i++)
		if (span_is(name, ret->name))
			return true;
	return false;
}

static struct span first_word(struct span text)
{
	return (struct span){text.at, text.len ? strcspn(text.at, " ,:;") : 0};
}

/* "node add": a command, and what its first argument must be, where there is one already. */
static bool item_fits(struct span item, const struct option_list *words)
{
	struct span name = first_word(item);

	if (!span_is(name, words->at[0]))
		return false;
	return item.len == name.len || words->n < 2 ||
	       span_is((struct span){item.at + name.len + 1, item.len - name.len - 1}, words->at[1]);
}

static bool names(const char *help, const struct option_list *words)
{
	for (const char *clause = help; clause; clause = strstr(clause, "; ")) {
		clause += clause == help ? 0 : 2;
		const char *end = clause + strcspn(clause, ":;");

		for (const char *at = clause; *end == ':' && at < end; at += strspn(at, ", ")) {
			struct span item = {at, strcspn(at, ",:")};

			if (item_fits(item, words))
				return true;
			at += item.len;
			if (at >= end)
				break;
		}
	}
	return false;
}

bool option_is_for(const struct option *opt, option_commands *commands, const struct option_list *words)
{
	struct option_command known;
	size_t head = strcspn(opt->help, ":;");

	if (opt->help[head] != ':' ||
		!option_command_find(commands, first_word((struct span){opt->help, head}), &known))
		return true;
	return words->n > 0 && names(opt->help, words);
}

static enum err not_for(const struct option *opt, const struct option_list *words, struct reason *why)
{
	if (words->n == 0)
		return fail(INVALID, why, "without a command there is no --%s, which is for %s", opt->name,
			opt->help);
	return fail(INVALID, why, "\"%.60s%s%.60s\" takes no --%s, which is for %s", words->at[0],
		words->n > 1 ? " " : "", words->n > 1 ? words->at[1] : "", opt->name, opt->help);
}

enum err options_check_command(const struct options *o, option_commands *commands,
	const struct option_list *words, struct reason *why)
{
	for (size_t i = 0; i < o->n; i++)
		if (options_source(i) == SOURCE_FLAG && !option_is_for(&o->at[i], commands, words))
			return not_for(&o->at[i], words, why);
	return OK;
}
