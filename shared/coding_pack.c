#include "shared/coding.h"

#include <assert.h>
#include <limits.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#define GZIP_WINDOW (15 + 16) /* 32 KiB, in gzip's frame */
#define GZIP_MEMORY 8
/*
 * Of zstd's quickest level, with a smaller table of what came before.  Records resemble those just before them, and what is
 * found near is said in fewer bits: measured on pages of records a twentieth smaller than with the level's own 2^14, and a
 * third quicker, as the table stays in the processor's nearest cache.  Short matches are those of hex digits by chance.
 */
#define ZSTD_LEVEL 1
#define ZSTD_TABLE_LOG 11
#define ZSTD_SHORTEST 6

static bool pack_zstd(struct span content, struct buf *out)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	char *to = z ? buf_reserve(out, ZSTD_compressBound(content.len)) : NULL;
	size_t n = 0;

	if (to) {
		ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(z, ZSTD_c_hashLog, ZSTD_TABLE_LOG);
		ZSTD_CCtx_setParameter(z, ZSTD_c_minMatch, ZSTD_SHORTEST);
		n = ZSTD_compress2(z, to, ZSTD_compressBound(content.len), content.at, content.len);
	}
	ZSTD_freeCCtx(z);
	if (!to || ZSTD_isError(n)) /* with room enough it fails for memory alone */
		return false;
	buf_wrote(out, n);
	return true;
}

static bool pack_gzip(struct span content, struct buf *out)
{
	z_stream z = {0};

	if (content.len > UINT_MAX / 2 || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
						  Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	uLong most = deflateBound(&z, content.len);
	char *to = buf_reserve(out, most);
	int r = Z_OK;

	if (to) {
		z.next_in = (const Bytef *)content.at;
		z.avail_in = (uInt)content.len;
		z.next_out = (Bytef *)to;
		z.avail_out = (uInt)most;
		r = deflate(&z, Z_FINISH);
		assert(r == Z_STREAM_END);
		buf_wrote(out, z.total_out);
	}
	deflateEnd(&z);
	return to;
}

bool coding_pack(enum coding c, struct span content, struct buf *out)
{
	assert(c != CODING_NONE);
	bool packed = c == CODING_ZSTD ? pack_zstd(content, out) : pack_gzip(content, out);
	buf_fit(out); /* there had to be room for what could not be packed */
	return packed;
}

bool coding_pack_smaller(enum coding c, struct buf *content)
{
	struct buf packed = {0};
	if (c == CODING_NONE || content->len < CODING_LEAST_BYTES || buf_failed(content))
		return false;
	bool smaller = coding_pack(c, buf_span(content), &packed) && packed.len < content->len;
	struct buf rest = smaller ? *content : packed;
	if (smaller)
		*content = packed;
	buf_done(&rest);
	return smaller;
}
