#include "shared/coding.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define GZIP_WINDOW (15 + 16)

/* Of one step, however much is allowed. */
#define STEP_LEAST ((size_t)16 << 10)
#define STEP_MOST ((size_t)4 << 20)
#define USUAL_RATIO 8

struct coding_unpacker {
	enum coding coding;
	struct span left; /* of what was packed */
	size_t step;      /* bytes: what it may well come to */
	ZSTD_DCtx *zstd;
	z_stream gzip;
};

/* What one step has come to. */
enum step { STEP_MORE, STEP_ENDED, STEP_DAMAGED, STEP_NO_MEMORY };

/* As the frame says: then zstd writes it in one step, without a window of its own.  It may lie: it is no more than a guess. */
static size_t guess(enum coding c, struct span packed)
{
	unsigned long long told =
		c == CODING_ZSTD ? ZSTD_getFrameContentSize(packed.at, packed.len) : ZSTD_CONTENTSIZE_UNKNOWN;
	size_t n = packed.len < STEP_MOST ? packed.len * USUAL_RATIO : STEP_MOST;

	if (told != ZSTD_CONTENTSIZE_UNKNOWN && told != ZSTD_CONTENTSIZE_ERROR)
		n = told < STEP_MOST ? (size_t)told : STEP_MOST;
	if (n < STEP_LEAST)
		return STEP_LEAST;
	return n < STEP_MOST ? n : STEP_MOST;
}

static bool start(struct coding_unpacker *u)
{
	if (u->coding == CODING_GZIP)
		return inflateInit2(&u->gzip, GZIP_WINDOW) == Z_OK;
	u->zstd = ZSTD_createDCtx();
	return u->zstd &&
	       !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, CODING_WINDOW_LOG));
}

struct coding_unpacker *coding_unpacker_new(enum coding c, struct span packed)
{
	assert(c != CODING_NONE);
	struct coding_unpacker *u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->coding = c;
	u->left = packed;
	u->step = guess(c, packed);
	if (start(u))
		return u;
	ZSTD_freeDCtx(u->zstd);
	free(u);
	return NULL;
}

void coding_unpacker_free(struct coding_unpacker *u)
{
	if (!u)
		return;
	if (u->coding == CODING_GZIP)
		inflateEnd(&u->gzip);
	ZSTD_freeDCtx(u->zstd);
	free(u);
}

static void took(struct coding_unpacker *u, size_t n)
{
	u->left.at += n;
	u->left.len -= n;
}

/* Fills *to_n by how much came. */
static enum step step_zstd(struct coding_unpacker *u, char *to, size_t *to_n, struct reason *why)
{
	ZSTD_inBuffer in = {u->left.at, u->left.len, 0};
	ZSTD_outBuffer out = {to, *to_n, 0};
	size_t r = ZSTD_decompressStream(u->zstd, &out, &in);

	took(u, in.pos);
	*to_n = out.pos;
	if (r == 0)
		return STEP_ENDED;
	if (!ZSTD_isError(r))
		return STEP_MORE;
	if (ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation)
		return STEP_NO_MEMORY;
	(void)fail(INVALID, why, "%s", ZSTD_getErrorName(r));
	return STEP_DAMAGED;
}

static enum step step_gzip(struct coding_unpacker *u, char *to, size_t *to_n, struct reason *why)
{
	z_stream *z = &u->gzip;
	uInt in = u->left.len < UINT_MAX ? (uInt)u->left.len : UINT_MAX, room = (uInt)*to_n;

	z->next_in = (const Bytef *)u->left.at;
	z->avail_in = in;
	z->next_out = (Bytef *)to;
	z->avail_out = room;
	int r = inflate(z, Z_NO_FLUSH);
	took(u, in - z->avail_in);
	*to_n = room - z->avail_out;
	if (r == Z_STREAM_END)
		return STEP_ENDED;
	if (r == Z_OK || r == Z_BUF_ERROR)
		return STEP_MORE;
	if (r == Z_MEM_ERROR)
		return STEP_NO_MEMORY;
	(void)fail(INVALID, why, "%s", z->msg ? z->msg : "not to be read");
	return STEP_DAMAGED;
}

/* `stuck`: it neither took nor gave anything. */
static enum err judge(
	const struct coding_unpacker *u, enum step step, bool stuck, bool *ret_ended, struct reason *why)
{
	const char *name = coding_name(u->coding);
	struct reason cause = *why;

	switch (step) {
	case STEP_NO_MEMORY:
		return fail(RETRY, why, "no memory left to unpack it");
	case STEP_DAMAGED:
		return fail(INVALID, why, "its %s content is damaged: %.100s", name, cause.text);
	case STEP_ENDED:
		if (u->left.len > 0)
			return fail(INVALID, why, "its %s content is followed by %zu other bytes", name,
				u->left.len);
		*ret_ended = true;
		return OK;
	case STEP_MORE:
		break;
	}
	if (stuck)
		return fail(INVALID, why, "its %s content is cut short", name);
	*ret_ended = false;
	return OK;
}

enum err coding_unpack(
	struct coding_unpacker *u, size_t most, struct buf *out, bool *ret_ended, struct reason *why)
{
	assert(most > 0);
	size_t n = most < u->step ? most : u->step, before = u->left.len;
	struct reason cause = {""};
	char *to = buf_reserve(out, n);

	if (!to)
		return fail(RETRY, why, "no memory left to unpack it");
	enum step step =
		u->coding == CODING_ZSTD ? step_zstd(u, to, &n, &cause) : step_gzip(u, to, &n, &cause);
	if (step == STEP_MORE || step == STEP_ENDED)
		buf_wrote(out, n);
	*why = cause;
	return judge(u, step, n == 0 && u->left.len == before, ret_ended, why);
}
