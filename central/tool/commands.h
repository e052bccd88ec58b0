/* commands - the commands of `tidemark`, each taking its arguments from t->args. */
#ifndef CENTRAL_TOOL_COMMANDS_H
#define CENTRAL_TOOL_COMMANDS_H

#include "central/tool/tool.h"
#include "shared/completion.h"

/* nodes.c */
int command_status(struct tool *t);
int command_nodes(struct tool *t);
/* nodes_one.c */
int command_node(struct tool *t); /* NODE | add | rm | pause | resume | token | rotate */
/* wait.c */
int command_pull(struct tool *t);
int command_push(struct tool *t);
int command_wait(struct tool *t);
/* verify.c */
int command_verify(struct tool *t);
/* why.c */
int command_why(struct tool *t);
int command_safe(struct tool *t);
/* records.c */
int command_records(struct tool *t);
int command_record(struct tool *t);
int command_put(struct tool *t);
int command_delete(struct tool *t);
/* files.c */
int command_import(struct tool *t);
int command_export(struct tool *t);
/* events.c */
int command_events(struct tool *t);
int command_conflicts(struct tool *t);
int command_conflict(struct tool *t);   /* promote ID */
int command_quarantine(struct tool *t); /* | retry ID | drop ID */
/* notifications.c */
int command_notifications(struct tool *t); /* | test */
/* tokens.c */
int command_token(struct tool *t); /* list | add NAME | rm NAME */
/* backup.c */
int command_backup(struct tool *t);
/* completion.c */
int command_completion(struct tool *t); /* bash | zsh */
/* Prints what completes the line; nothing where that is not known. */
void completion_answer(struct tool *t, const struct completion *c, const char *line);

#endif
