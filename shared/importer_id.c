/* Where a record's id comes from, and that a column gives none twice. */
#include "shared/importer_private.h"

#include <stdlib.h>

/* 64 MiB: some six million ids.  Beyond, a repeat shows only in the count of changed records. */
#define SEEN_MAX (8 * 1024 * 1024)

static bool place(uint64_t *at, size_t cap, uint64_t hash)
{
	size_t i = hash & (cap - 1);

	while (at[i] != 0 && at[i] != hash)
		i = (i + 1) & (cap - 1);
	if (at[i] == hash)
		return false;
	at[i] = hash;
	return true;
}

static void grow(struct import_seen *s)
{
	size_t cap = s->cap ? 2 * s->cap : 1024;
	uint64_t *at = cap <= SEEN_MAX ? calloc(cap, sizeof *at) : NULL;

	if (!at) {
		s->full = true;
		return;
	}
	for (size_t i = 0; i < s->cap; i++)
		if (s->at[i])
			(void)place(at, cap, s->at[i]);
	free(s->at);
	s->at = at;
	s->cap = cap;
}

/* False: it came before. */
static bool see(struct import_seen *s, struct span id)
{
	if (!s->full && 4 * s->n >= 3 * s->cap)
		grow(s);
	if (s->full)
		return true;
	uint64_t hash = hash_of(id).half[0] | 1;
	if (!place(s->at, s->cap, hash))
		return false;
	s->n++;
	return true;
}

enum err importer_id(struct importer *im, struct draft *d, bool of_column, char room[RECORD_ID_MAX + 1],
	struct reason *why)
{
	int shown = d->id.len < 80 ? (int)d->id.len : 80;

	if (d->id.len == 0 && of_column)
		return fail(INVALID, why, "its id is empty");
	if (d->id.len == 0) {
		if (!im->format->prefix[0])
			return fail(INVALID, why,
				"no id: name the column or member that has one by --id-column C, or number "
				"the rows by --id-prefix P");
		format_row_id(im->format->prefix, im->rows, room);
		d->id = span_of(room);
		return OK;
	}
	if (!record_id_ok(d->id))
		return fail(INVALID, why, "id \"%.*s\": " RECORD_ID_RULE, shown, d->id.at);
	if (of_column && !see(&im->seen, d->id))
		return fail(INVALID, why,
			"the id \"%.*s\" stands in an earlier row too: take a column without repeats, or "
			"number the rows by --id-prefix P",
			shown, d->id.at);
	return OK;
}
