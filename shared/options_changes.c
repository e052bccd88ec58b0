/* What is another than in the running program: gathered, told, given back. */
#include <stdlib.h>
#include <string.h>

#include "shared/log.h"
#include "shared/options_private.h"

void options_note_change(
	const struct option *opt, bool reloads, union option_value before, struct option_changes *ret)
{
	struct option_change c = {.option = opt, .needs_restart = !reloads};
	struct option_change *longer = realloc(ret->at, (ret->n + 1) * sizeof *longer);
	if (!longer)
		err_out_of_memory();
	option_show(opt, before, &c.before);
	option_show(opt, option_value(opt), &c.after);
	ret->at = longer;
	ret->at[ret->n++] = c;
}

void option_changes_done(struct option_changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		buf_done(&c->at[i].before);
		buf_done(&c->at[i].after);
	}
	free(c->at);
	*c = (struct option_changes){0};
}

static const char *shown(const struct buf *b)
{
	return b->at ? b->at : "";
}

void option_changes_tell(const struct option_changes *c, struct reloaded *ret)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct option_change *x = &c->at[i];
		if (x->needs_restart)
			log_event(LOG_WARN, "setting.refused", "option", x->option->name, "reason",
				"it needs a restart", "now", shown(&x->before), "wanted", shown(&x->after),
				NULL);
		else
			log_event(LOG_INFO, "setting.changed", "option", x->option->name, "before",
				shown(&x->before), "after", shown(&x->after), NULL);
		*(x->needs_restart ? &ret->refused : &ret->changed) += 1;
	}
}

void option_content_tell(const char *option, const char *content, struct reloaded *ret)
{
	log_event(LOG_INFO, "setting.changed", "option", option, "content", content, NULL);
	ret->changed++;
}

void reloaded_tell(const struct reloaded *r)
{
	log_event(LOG_INFO, "reloaded", "changed", LOG_I64(r->changed), "refused", LOG_I64(r->refused), NULL);
}

void reload_failed_tell(const struct reason *why)
{
	log_event(
		LOG_ERROR, "reload.failed", "reason", why->text, "settings", "those from before hold", NULL);
}
