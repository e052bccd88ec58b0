/*
 * options_commands - which options are for which of a program's commands, as their help says.
 *
 * A help that begins with commands, "records, node add: of this node; import: for it", is of an option for records, for
 * node where add follows, and for import; any other is of an option for all.  Pure, but for options_check_command().
 */
#ifndef SHARED_OPTIONS_COMMANDS_H
#define SHARED_OPTIONS_COMMANDS_H

#include "shared/options.h"

struct option_command {
	/* "drop [--force] NODE… | list | put OWNER/ID FILE|-": alternatives; words in lower case are themselves, the
	 * others say what is wanted there. */
	const char *name, *usage, *help;
};
/* A program's commands: the i-th; false behind the last. */
typedef bool option_commands(size_t i, struct option_command *ret);

bool option_command_find(option_commands *commands, struct span name, struct option_command *ret);
/* Is it for these words, a command and its arguments so far?  No words are for no command. */
bool option_is_for(const struct option *opt, option_commands *commands, const struct option_list *words);
/*
 * After options_read().  INVALID: one that stands on the command line is not for this command.  What a file or the
 * environment says is for all programs and commands, and is no error.
 */
enum err options_check_command(const struct options *o, option_commands *commands,
	const struct option_list *words, struct reason *why) MUST_USE;

#endif
