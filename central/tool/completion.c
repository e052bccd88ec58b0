/* What completes a command line: told to the shells' scripts, and these scripts themselves. */
#include <stdio.h>
#include <string.h>

#include "central/tool/commands.h"
#include "central/tool/list.h"
#include "gen/completion_bash.h"
#include "gen/completion_zsh.h"
#include "shared/completion.h"

#define ANSWER_MS 400 /* somebody waits for it at a keyboard */
#define BODY_MOST ((size_t)64 * 1024 * 1024)
#define NAMES "/v1/nodes?limit=1000"

int command_completion(struct tool *t)
{
	if (t->args.n == 1 && !strcmp(t->args.at[0], "bash"))
		fputs(completion_bash, stdout);
	else if (t->args.n == 1 && !strcmp(t->args.at[0], "zsh"))
		fputs(completion_zsh, stdout);
	else
		return tool_usage("completion for which shell? bash, or zsh");
	return EXIT_OK;
}

static void add_name(void *ctx, struct span item)
{
	struct completed *r = ctx;
	struct span title = tool_member(item, "title"), name = tool_member(item, "name");
	struct buf word = {0}, help = {0};

	buf_put(&word, name);
	if (r->wants & COMPLETION_OWNERS)
		buf_char(&word, '/');
	buf_put(&help, tool_member(item, "state"));
	if (title.len) {
		buf_text(&help, ", ");
		buf_put(&help, title);
	}
	if (!buf_failed(&word) && !buf_failed(&help))
		completion_add(r, buf_span(&word), help.at);
	buf_done(&word);
	buf_done(&help);
}

/* The centre that the line names, or would be asked without a word. */
static void add_names(struct tool *t, const struct options *o, struct completed *r)
{
	enum options_do todo;
	struct reason why;

	if (options_read(o, r->n_before, r->before, &todo, &t->args, &why) != OK)
		return;
	if (t->token_file && option_read_secret(t->token_file, &t->token, &why) != OK)
		return;
	if (tool_read_tls(t, &why) != OK)
		return;
	const struct client_config config = {.base_url = t->central,
		.token = t->token.at,
		.plain_http = t->plain_http,
		.tls = t->tls,
		.timeout_ms = ANSWER_MS,
		.max_body = BODY_MOST};
	if (client_open(&t->client, &config, &why) == OK)
		(void)!list_each(t, NAMES, "nodes", add_name, r);
	client_close(t->client);
}

void completion_answer(struct tool *t, const struct completion *c, const char *line)
{
	struct completed r;

	completion_read(c, line, &r);
	if (r.wants && freopen("/dev/null", "w", stderr)) /* what goes wrong is not for who types */
		add_names(t, c->options, &r);
	fputs(r.words.at ? r.words.at : "", stdout);
	completed_done(&r);
}
