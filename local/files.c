#include "local/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local/writer.h"
#include "shared/exit_code.h"
#include "shared/files.h"
#include "shared/remote.h"

#define PAGE_RECORDS 1000

/* --- the database as sink and source --- */

struct base {
	const struct format_options *options;
	struct replica *replica;
	struct writer *writer;
};

struct put_job {
	const struct draft *drafts;
	size_t n, at; /* reached */
	struct import_counts counts;
};

static enum err put_drafts(void *ctx, struct replica *r, struct reason *why)
{
	static const struct precondition none;
	struct put_job *j = ctx;
	enum err e = OK;

	for (j->at = 0; j->at < j->n; j->at++) {
		struct written w;

		if ((e = replica_put(r, &j->drafts[j->at], &none, &w, why)) != OK)
			return e;
		j->counts.created += w.created;
		j->counts.changed += w.changed && !w.created;
		j->counts.unchanged += !w.changed;
	}
	return e;
}

static enum err put(void *ctx, const struct draft *drafts, size_t n, struct import_counts *counts,
	size_t *ret_failed, struct reason *why)
{
	struct base *b = ctx;
	struct put_job j = {.drafts = drafts, .n = n};
	enum err e = writer_run(b->writer, put_drafts, &j, why);

	*ret_failed = j.at;
	if (e == OK) {
		counts->created += j.counts.created;
		counts->changed += j.counts.changed;
		counts->unchanged += j.counts.unchanged;
	}
	return e;
}

struct remove_job {
	struct span id;
	struct written written;
};

static enum err remove_record(void *ctx, struct replica *r, struct reason *why)
{
	struct remove_job *j = ctx;
	enum err e = replica_delete(r, j->id, NULL, &j->written, why);

	return e == GONE ? OK : e;
}

static enum err remove_one(
	void *ctx, const struct draft *which, struct import_counts *counts, struct reason *why)
{
	struct base *b = ctx;
	struct remove_job j = {.id = which->id};
	enum err e = writer_run(b->writer, remove_record, &j, why);

	if (e == OK) {
		counts->deleted += j.written.changed;
		counts->unchanged += !j.written.changed;
	}
	return e;
}

static enum err page(void *ctx, struct span after, struct buf *out, struct reason *why)
{
	struct base *b = ctx;
	const struct record_query q = {.after = after,
		.type = span_of(b->options->type),
		.deleted = b->options->deleted,
		.limit = PAGE_RECORDS};

	return replica_list(b->replica, &q, out, why);
}

/* --- the commands --- */

static int complain(int code, const struct reason *why, const char *advice)
{
	fprintf(stderr, "tidemark-local: %s\n", why->text);
	if (advice)
		fprintf(stderr, "Try: %s\n", advice);
	return code;
}

static enum err run(const struct settings *s, const struct format *f, const struct import_sink *sink,
	const struct export_source *source)
{
	const struct files_job p = {.program = "tidemark-local", .format = f, .path = s->path};

	return s->command == COMMAND_IMPORT ? files_import(&p, sink) : files_export(&p, source);
}

static int run_remote(const struct settings *s, const struct format *f)
{
	struct remote_config config = {.url = s->url, .format = f};
	struct buf token = {0};
	const struct tls_files files = {.ca = s->tls_ca};
	struct remote *r = NULL;
	struct tls *tls = NULL;
	struct reason why;

	if (tls_read(&tls, &files, &why) != OK)
		return complain(EXIT_REFUSED, &why, NULL);
	if (s->app_token_file && option_read_secret(s->app_token_file, &token, &why) != OK)
		return tls_release(tls), complain(EXIT_REFUSED, &why, NULL);
	config.token = token.at;
	config.plain_http = s->allow_plain_http;
	config.tls = tls;
	enum err e = remote_open(&r, &config, &why);
	int code;
	if (e == OK) {
		struct import_sink sink = remote_sink(r);
		struct export_source source = remote_source(r);

		code = exit_code_of_call(run(s, f, &sink, &source));
	} else {
		code = complain(e == INVALID ? EXIT_USAGE : exit_code_of_call(e), &why, NULL);
	}
	remote_close(r);
	option_secret_done(&token);
	tls_release(tls);
	return code;
}

static int run_here(const struct settings *s, const struct format *f)
{
	const struct replica_config config = {.path = s->db, .node = s->node};
	struct base b = {.options = f->options};
	struct reason why;

	if (s->command == COMMAND_EXPORT && access(s->db, F_OK) != 0) {
		(void)!fail(GONE, &why, "%.200s: no such database", s->db);
		return complain(EXIT_FAILED, &why, NULL);
	}
	if (replica_open(&b.replica, &config, &why) != OK)
		return complain(EXIT_REFUSED, &why,
			!strstr(why.text, "is locked") ? NULL
			: s->command == COMMAND_IMPORT
				? "--to URL, the address of the local that has it open"
				: "--from URL, the address of the local that has it open");
	b.writer = writer_new(b.replica);
	const struct import_sink sink = {.ctx = &b, .put = put, .remove = remove_one};
	const struct export_source source = {.ctx = &b, .page = page};
	int code = exit_code_of_call(run(s, f, &sink, &source));
	if (code == EXIT_UNREACHABLE)
		code = EXIT_FAILED; /* nobody else was asked */
	writer_free(b.writer);
	replica_close(b.replica);
	return code;
}

int files_run(const struct settings *s)
{
	struct format f;
	struct reason why;
	enum err e = s->command == COMMAND_IMPORT ? format_of_import(&f, &s->format, s->path, &why)
						  : format_of_export(&f, &s->format, s->path, &why);

	if (e != OK)
		return complain(EXIT_USAGE, &why, "tidemark-local --help");
	return s->url ? run_remote(s, &f) : run_here(s, &f);
}
