/* A file of records on its way in: the same records however it is read, each within all limits, and none once it is wrong. */
#include <sys/mman.h>
#include <unistd.h>

#include "shared/importer.h"
#include "shared/json_check.h"
#include "tests/fuzz/fuzz.h"

static const struct format_options how[] = {
	{.format = "ndjson"},
	{.format = "json"},
	{.format = "csv", .type = "t"},
	{.format = "json", .type = "t", .each = "data.items"},
	{.format = "ndjson", .type = "t", .id_column = "sku"},
	{.format = "csv", .type = "t", .id_column = "sku"},
	{.format = "json", .type = "t", .each = "/0/a.b/1", .id_prefix = "p"},
	{.format = "csv", .delimiter = "tab"},
};

struct sink {
	struct buf got;
	size_t n;
	bool owners;
};

static void take(struct sink *s, const struct draft *d, const char *what)
{
	struct json_value v;

	MUST(record_id_ok(d->id));
	MUST(!d->owner.len || record_owner_ok(d->owner));
	if (*what == '+')
		MUST(record_type_ok(d->type) && d->body.len <= RECORD_BODY_MAX &&
			json_check(d->body, &v, NULL) == OK);
	buf_printf(&s->got, "%s%.*s/%.*s/%.*s/%zu:", what, (int)d->owner.len, d->owner.at ? d->owner.at : "",
		(int)d->id.len, d->id.at, (int)d->type.len, d->type.at ? d->type.at : "", d->body.len);
	buf_put(&s->got, d->body);
	buf_char(&s->got, '\n');
	s->n++;
}

static enum err put(void *ctx, const struct draft *drafts, size_t n, struct import_counts *counts,
	size_t *ret_failed, struct reason *why)
{
	(void)ret_failed;
	(void)why;
	MUST(n > 0 && n <= IMPORT_BATCH_RECORDS);
	for (size_t i = 0; i < n; i++)
		take(ctx, &drafts[i], "+");
	counts->created += n;
	return OK;
}

static enum err drop(void *ctx, const struct draft *which, struct import_counts *counts, struct reason *why)
{
	(void)why;
	take(ctx, which, "-");
	counts->deleted++;
	return OK;
}

/* What came, how it ended and where. */
static void run(int fd, size_t len, size_t chunk, const struct format *format, bool owners, struct buf *ret)
{
	struct sink s = {.owners = owners};
	const struct import_sink sink = {.ctx = &s, .owners = owners, .put = put, .remove = drop};
	struct input in = {.name = "input", .fd = fd, .line = 1, .size = (int64_t)len, .chunk = chunk};
	const struct importer_config c = {.format = format, .in = &in, .sink = &sink};
	struct import_result result = {.line = 0};
	struct reason why = {""};

	MUST(lseek(fd, 0, SEEK_SET) == 0);
	enum err e = importer_run(&c, &result, &why);

	MUST(e == OK || (e == INVALID && why.text[0]));
	MUST(result.counts.created + result.counts.deleted == s.n);
	buf_put(ret, buf_span(&s.got));
	buf_printf(ret, "%s at %llu: %s", err_name(e), (unsigned long long)result.line, why.text);
	buf_done(&s.got);
	buf_done(&in.window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = fuzz_of(data, size);
	unsigned first = fuzz_byte(&f);
	struct format_options o = how[first % 8];
	struct format format;
	struct span text = fuzz_rest(&f);
	struct buf whole = {0}, pieces = {0};
	struct reason why;
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (!o.delimiter)
		o.delimiter = ",";
	o.owner = first & 64 ? "site-a" : NULL;
	MUST(format_of_import(&format, &o, "rows", &why) == OK);
	MUST(fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len);
	run(fd, text.len, 65536, &format, first & 64, &whole);
	run(fd, text.len, text.len < 2000 ? 1 : 61, &format, first & 64, &pieces);
	if (!span_equal(buf_span(&whole), buf_span(&pieces))) {
		fprintf(stderr, "byte by byte:\n%.*s\nwhole:\n%.*s\n", (int)pieces.len, pieces.at,
			(int)whole.len, whole.at);
		abort();
	}
	buf_done(&whole);
	buf_done(&pieces);
	close(fd);
	return 0;
}
