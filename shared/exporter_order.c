/* Lines sorted by when their record was first written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/exporter_private.h"

struct entry {
	int64_t created_us;
	uint64_t n, offset, len;
};

/* In $TMPDIR, and without a name at once. */
static FILE *open_unnamed(void)
{
	const char *dir = getenv("TMPDIR");
	char *path = NULL;
	FILE *f = NULL;

	if (asprintf(&path, "%s/tidemark-export.XXXXXX", dir && *dir ? dir : "/tmp") < 0)
		return NULL;
	int fd = mkostemp(path, 0);
	if (fd >= 0) {
		unlink(path);
		f = fdopen(fd, "w+");
		if (!f)
			close(fd);
	}
	free(path);
	return f;
}

enum err spool_open(struct spool *s, struct reason *why)
{
	*s = (struct spool){.lines = open_unnamed(), .entries = open_unnamed()};
	if (s->lines && s->entries)
		return OK;
	spool_done(s);
	return fail(DENIED, why, "no room to sort in $TMPDIR or /tmp (--order id needs none): %s",
		strerror(errno));
}

void spool_done(struct spool *s)
{
	if (s->lines)
		fclose(s->lines);
	if (s->entries)
		fclose(s->entries);
	*s = (struct spool){0};
}

enum err spool_put(struct spool *s, int64_t created_us, uint64_t n, struct span line, struct reason *why)
{
	struct entry e = {created_us, n, s->bytes, line.len};

	if (fwrite(line.at, 1, line.len, s->lines) != line.len || fwrite(&e, sizeof e, 1, s->entries) != 1)
		return fail(RETRY, why,
			"cannot write to $TMPDIR or /tmp: %s (--order id needs no room there)",
			strerror(errno));
	s->bytes += line.len;
	s->n++;
	return OK;
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->created_us != b->created_us)
		return a->created_us < b->created_us ? -1 : 1;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static void *map(FILE *f, size_t bytes)
{
	if (fflush(f) != 0)
		return NULL;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
	return at == MAP_FAILED ? NULL : at;
}

enum err spool_each(struct spool *s, spool_line_fn *each, void *ctx, struct reason *why)
{
	size_t bytes = s->n * sizeof(struct entry);
	enum err e = OK;

	if (s->n == 0)
		return OK;
	struct entry *entries = map(s->entries, bytes);
	char *lines = map(s->lines, s->bytes);
	if (entries && lines) {
		qsort(entries, s->n, sizeof *entries, compare);
		for (uint64_t i = 0; i < s->n && e == OK; i++)
			e = each(ctx, (struct span){lines + entries[i].offset, entries[i].len}, why);
	} else {
		e = fail(RETRY, why, "cannot sort in $TMPDIR or /tmp: %s (--order id needs no room there)",
			strerror(errno));
	}
	if (entries)
		munmap(entries, bytes);
	if (lines)
		munmap(lines, s->bytes);
	return e;
}
