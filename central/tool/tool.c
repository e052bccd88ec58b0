#include "central/tool/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/json_check.h"
#include "shared/utf8.h"

int tool_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("tidemark: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\nTry: tidemark --help\n", stderr);
	va_end(ap);
	return EXIT_USAGE;
}

enum err tool_read_tls(struct tool *t, struct reason *why)
{
	const struct tls_files *f = &t->tls_files;
	enum err e = tls_files_check(f, "tls-client-certificate", "tls-client-key", why);

	return e == OK && (f->ca || f->certificate) ? tls_read(&t->tls, f, why) : e;
}

#define SLIPS_MOST 3

const char *tool_nearest(const char *word, const char *(*at)(size_t i))
{
	size_t len = strlen(word), best = len / 2 < SLIPS_MOST ? len / 2 : SLIPS_MOST;
	const char *ret = NULL, *name;

	for (size_t i = 0; (name = at(i)); i++) {
		size_t d = options_distance(span_of(word), span_of(name));

		if (len > 1 && strncmp(name, word, len) == 0)
			return name;
		if (d <= best && (!ret || d < best)) {
			best = d;
			ret = name;
		}
	}
	return ret;
}

void tool_progress_begin(struct tool *t, struct progress *p)
{
	progress_begin(p, t->quiet || t->json);
	t->progress = p;
}

double tool_progress_end(struct tool *t)
{
	double seconds = progress_end(t->progress);

	t->progress = NULL;
	return seconds;
}

static void hide_progress(const struct tool *t)
{
	if (t->progress)
		(void)progress_end(t->progress);
}

/* What lists those of which one is not there. */
static void advise(const char *detail)
{
	static const char *const lists[][2] = {{"no node ", "nodes"}, {"no record ", "records"},
		{"conflict", "conflicts"}, {"quarantine", "quarantine"}, {"no token ", "token list"}};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (strstr(detail, lists[i][0])) {
			fprintf(stderr, "Try: tidemark %s, which lists them\n", lists[i][1]);
			return;
		}
}

int tool_complain(const struct tool *t, const struct client_reply *reply)
{
	struct json_doc *d = NULL;
	struct reason why;
	const char *title = NULL, *detail = NULL;

	hide_progress(t);
	if (json_doc_parse(&d, buf_span(&reply->body), &why) == OK &&
		json_doc_text(d, "title", &title, &why) == OK &&
		json_doc_text(d, "detail", &detail, &why) == OK)
		fprintf(stderr, "tidemark: %s: %s\n", title, detail);
	else
		fprintf(stderr, "tidemark: %s answered %d; is this a tidemark-central?\n", t->central,
			reply->status);
	if (reply->status == 401)
		fprintf(stderr, "Try: %s--token-file FILE with a token of this centre, or with its secret\n",
			t->token_file ? "another " : "");
	const char *needs = NULL;
	if (reply->status == 403 && d && json_doc_text(d, "needs", &needs, &why) == OK)
		fprintf(stderr,
			"Try: --token-file FILE with a token of the role %s (tidemark token add NAME --role "
			"%s)\n",
			needs, needs);
	if (reply->status == 404 && detail && !strcmp(detail, "no such path"))
		fprintf(stderr, "Try: --central URL; what answers at %s is no tidemark-central\n",
			t->central);
	else if (reply->status == 404 && detail)
		advise(detail);
	json_doc_free(d);
	bool refused = reply->status == 401 || reply->status == 403 || reply->status == 501;
	return refused ? EXIT_REFUSED : EXIT_FAILED;
}

int tool_unreachable(const struct tool *t, enum err e, const struct reason *why)
{
	hide_progress(t);
	if (e == DENIED) {
		fprintf(stderr, "tidemark: %s\n", why->text);
		return EXIT_REFUSED;
	}
	fprintf(stderr, "tidemark: %s\nTry: is tidemark-central running there?  --central URL asks another\n",
		why->text);
	return EXIT_UNREACHABLE;
}

void tool_pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

void tool_be_patient(struct tool *t, int64_t ms)
{
	t->until_us = ms ? clock_mono_us() + ms * 1000 : INT64_MAX;
}

bool tool_is_late(const struct tool *t)
{
	return clock_mono_us() >= t->until_us;
}

#define ASK_AGAIN_MS 250

/* Says in the centre's words why it is not ready. */
static void show_not_ready(const struct tool *t, const struct client_reply *reply, struct progress *progress)
{
	struct json_doc *d = NULL;
	char label[400];

	bool said = json_doc_parse(&d, buf_span(&reply->body), NULL) == OK;
	snprintf(label, sizeof(label), "the centre is not ready: %s", said ? tool_text(d, "detail") : "503");
	const struct progress_point at = {.label = label};
	progress_move(t->progress ? t->progress : progress, &at);
	json_doc_free(d);
}

/* A request that was answered 503 did nothing, and may be made again. */
static enum err call_until_ready(struct tool *t, enum http_method m, const char *target, struct span body,
	struct client_reply *ret, struct reason *why)
{
	const char *type = body.at ? "application/json" : NULL;
	struct progress progress;
	enum err e;

	progress_begin(&progress, t->quiet || t->json);
	while ((e = client_call(t->client, m, target, body, type, ret, why)) == OK && ret->status == 503 &&
		!tool_is_late(t)) {
		show_not_ready(t, ret, &progress);
		client_reply_done(ret);
		*ret = (struct client_reply){0};
		tool_pause_ms(ASK_AGAIN_MS);
	}
	(void)progress_end(&progress);
	return e;
}

int tool_call(
	struct tool *t, enum http_method m, const char *target, struct span body, struct client_reply *ret)
{
	struct client_reply reply = {0};
	struct reason why;

	enum err e = call_until_ready(t, m, target, body, &reply, &why);
	if (e != OK) {
		client_reply_done(&reply);
		return tool_unreachable(t, e, &why);
	}
	bool good = reply.status / 100 == 2;
	if (good && (!reply.body.len || reply.body.at[0] == '{')) { /* a centre answers with objects only */
		*ret = reply;
		return EXIT_OK;
	}
	int code = EXIT_FAILED;
	hide_progress(t);
	if (good)
		fprintf(stderr,
			"tidemark: %s answered something else than JSON; is this a tidemark-central?\n",
			t->central);
	else
		code = tool_complain(t, &reply);
	if (reply.status == 503 && t->until_us) {
		fputs("tidemark: timed out before the centre was ready\n", stderr);
		code = EXIT_TIMEOUT;
	}
	client_reply_done(&reply);
	return code;
}

int tool_get(struct tool *t, const char *target, struct json_doc **ret)
{
	struct client_reply reply = {0};
	struct reason why;
	int code = tool_call(t, HTTP_GET, target, (struct span){0}, &reply);

	if (code != EXIT_OK)
		return code;
	if (json_doc_parse(ret, buf_span(&reply.body), &why) != OK) {
		hide_progress(t);
		fprintf(stderr, "tidemark: %s answered something else than JSON: %s\n", t->central, why.text);
		code = EXIT_FAILED;
	}
	client_reply_done(&reply);
	return code;
}

int tool_print_raw(struct tool *t, const char *target)
{
	struct client_reply reply = {0};
	int code = tool_call(t, HTTP_GET, target, (struct span){0}, &reply);

	if (code != EXIT_OK)
		return code;
	fwrite(reply.body.at, 1, reply.body.len, stdout);
	client_reply_done(&reply);
	return EXIT_OK;
}

struct span tool_member(struct span object, const char *name)
{
	struct json_iter it;
	struct json_value v;
	struct span key;

	if (!json_open(&it, object))
		return (struct span){"", 0};
	it.frame = JSON_FRAME_MAX;
	while (json_next(&it, &key, &v))
		if (span_is(key, name))
			return v.kind == JSON_TEXT ? (struct span){v.raw.at + 1, v.raw.len - 2} : v.raw;
	return (struct span){"", 0};
}

const char *tool_text(const struct json_doc *d, const char *path_fmt, ...)
{
	char path[256];
	const char *text = NULL;
	struct reason why;
	va_list ap;

	va_start(ap, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, ap);
	va_end(ap);
	return json_doc_text(d, path, &text, &why) == OK ? text : "-";
}

uint64_t tool_u64(const struct json_doc *d, const char *path_fmt, ...)
{
	char path[256];
	uint64_t n = 0;
	struct reason why;
	va_list ap;

	va_start(ap, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, ap);
	va_end(ap);
	return json_doc_u64(d, path, &n, &why) == OK ? n : 0;
}

void tool_put_number(
	struct buf *out, const struct json_doc *d, const char *path, int decimals, const char *unit)
{
	double number;
	struct reason why;

	if (json_doc_number(d, path, &number, &why) == OK)
		buf_printf(out, "%.*f%s", decimals, number, unit);
	else
		buf_char(out, '-');
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char cell[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cell, sizeof(cell), fmt, ap);
	va_end(ap);
	utf8_tame(cell); /* others write titles and reasons */
	buf_add(&t->text, cell, strlen(cell) + 1);
	t->cells++;
}

void table_print(struct table *t)
{
	size_t width[16] = {0}, i = 0;

	if (buf_failed(&t->text) || !t->cells)
		return;
	for (const char *c = t->text.at; i < t->cells; c += strlen(c) + 1, i++)
		if (span_width(span_of(c)) > width[i % t->columns])
			width[i % t->columns] = span_width(span_of(c));
	i = 0;
	for (const char *c = t->text.at; i < t->cells; c += strlen(c) + 1, i++) {
		bool last = (i + 1) % t->columns == 0;

		fputs(c, stdout);
		for (size_t pad = span_width(span_of(c)); !last && pad < width[i % t->columns] + 2; pad++)
			putchar(' ');
		if (last)
			putchar('\n');
	}
	buf_done(&t->text);
	t->cells = 0;
}

void tool_node_target(struct buf *target, const char *name, const char *rest)
{
	buf_clear(target);
	buf_text(target, "/v1/nodes/");
	buf_percent(target, span_of(name));
	buf_text(target, rest);
}
