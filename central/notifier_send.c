#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "central/notifier_private.h"
#include "shared/build.h"
#include "shared/spawn.h"

#define ANSWER_BYTES 1024 /* of what a receiver says; its first line is kept */
#define LINE_MAX_BYTES 200

enum err notifier_open_client(struct target *t, struct reason *why)
{
	size_t origin = strlen(t->url) - (strcmp(t->path, "/") == 0 ? 0 : strlen(t->path));
	struct buf base = {0};

	buf_add(&base, t->url, origin);
	const struct client_config c = {.base_url = base.at,
		.timeout_ms = t->of->timeout_ms,
		.max_body = ANSWER_BYTES,
		.cut_body = true,
		.stop = &t->of->stopping};
	enum err e = buf_failed(&base) ? fail(RETRY, why, "out of memory") : client_open(&t->client, &c, why);
	buf_done(&base);
	return e;
}

/* The first line that says something, cut. */
static struct span first_line(struct span text)
{
	while (text.len > 0 && (unsigned char)text.at[0] <= ' ')
		text = (struct span){text.at + 1, text.len - 1};
	size_t n = 0;
	while (n < text.len && n < LINE_MAX_BYTES && (unsigned char)text.at[n] >= ' ')
		n++;
	return (struct span){text.at, n};
}

static void say(struct reason *answer, const char *what, struct span text)
{
	struct span line = first_line(text);

	(void)fail(OK, answer, "%s%s%.*s", what, line.len > 0 ? ": " : "", (int)line.len, line.at);
}

/* --- a URL --- */

static bool send_url(
	struct target *t, const struct notice_message *m, struct span body, struct reason *answer)
{
	char signature[80] = "sha256=", what[32];
	static const char agent[] = "tidemark/" TIDEMARK_VERSION;
	const char *headers[] = {
		"User-Agent", agent, "Idempotency-Key", m->delivery, "Tidemark-Signature", signature, NULL};
	const struct client_request q = {HTTP_POST, t->path, body, "application/json", headers};
	struct client_reply r = {0};

	if (t->of->secret.len > 0)
		hash_sign(t->of->secret, body, signature + strlen(signature));
	else
		headers[4] = NULL;
	if (client_ask(t->client, &q, &r, answer) != OK)
		return false;
	bool taken = r.status >= 200 && r.status < 300;
	(void)snprintf(what, sizeof what, "%s%d", taken ? "" : "answered ", r.status);
	say(answer, what, buf_span(&r.body));
	client_reply_done(&r);
	return taken;
}

/* --- a command --- */

struct environment {
	struct buf lines[6];
	const char *at[7];
	size_t n;
};

static void add(struct environment *e, const char *name, const char *value)
{
	struct buf *line = &e->lines[e->n];

	buf_printf(line, "%s=%s", name, value);
	e->at[e->n] = buf_failed(line) ? "" : line->at;
	e->n++;
}

static void environment_of(const struct notice_message *m, struct environment *e)
{
	struct buf text = {0};
	struct log_text count = log_i64((int64_t)m->notices->n);

	add(e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add(e, "LC_ALL", "C.UTF-8");
	add(e, "TIDEMARK_NOTICE_ID", m->delivery);
	add(e, "TIDEMARK_NOTICE_EVENTS", count.text);
	notice_put_subject(m, &text);
	add(e, "TIDEMARK_NOTICE_SUBJECT", buf_failed(&text) ? "" : text.at);
	buf_clear(&text);
	notice_put_text(m, &text);
	add(e, "TIDEMARK_NOTICE_TEXT", buf_failed(&text) ? "" : text.at);
	buf_done(&text);
}

static void environment_done(struct environment *e)
{
	for (size_t i = 0; i < e->n; i++)
		buf_done(&e->lines[i]);
}

static bool judge(
	const struct target *t, enum spawn_end how, int status, struct span printed, struct reason *answer)
{
	char what[64];

	switch (how) {
	case SPAWN_NEVER:
		(void)fail(RETRY, answer, "cannot be run: %s", strerror(status));
		return false;
	case SPAWN_LATE:
		(void)snprintf(what, sizeof what, "not done within %lld ms, and killed",
			(long long)t->of->timeout_ms);
		break;
	case SPAWN_TOO_LONG: /* what is too much is cut */
	case SPAWN_STOPPED:
		(void)snprintf(what, sizeof what, "killed: the centre stops");
		break;
	case SPAWN_ENDED:
		if (WIFSIGNALED(status))
			(void)snprintf(what, sizeof what, "ended by signal %d", WTERMSIG(status));
		else
			(void)snprintf(what, sizeof what, "exit %d", WEXITSTATUS(status));
		break;
	}
	say(answer, what, printed);
	return how == SPAWN_ENDED && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool send_command(
	struct target *t, const struct notice_message *m, struct span body, struct reason *answer)
{
	struct environment e = {0};
	struct buf printed = {0};
	int status;

	environment_of(m, &e);
	const char *const arguments[] = {t->command, NULL};
	const struct spawn s = {.program = t->command,
		.arguments = arguments,
		.environment = e.at,
		.input = body,
		.errors = true,
		.most = ANSWER_BYTES,
		.cut = true,
		.timeout_ms = t->of->timeout_ms,
		.stop_fd = t->of->stop_fd};
	enum spawn_end how = spawn_run(&s, &printed, &status);
	bool taken = judge(t, how, status, buf_span(&printed), answer);
	buf_done(&printed);
	environment_done(&e);
	return taken;
}

bool notifier_send(struct target *t, const struct notice_message *m, struct reason *answer)
{
	struct buf body = {0};
	bool taken = false;

	notice_put_json(m, &body);
	if (buf_failed(&body))
		(void)fail(RETRY, answer, "out of memory");
	else if (t->url)
		taken = send_url(t, m, buf_span(&body), answer);
	else
		taken = send_command(t, m, buf_span(&body), answer);
	buf_done(&body);
	return taken;
}
