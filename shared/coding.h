/*
 * coding - zstd's and zlib's door: content codings of HTTP, chosen, made and undone (PROTOCOL 7.8).
 *
 * Packing is quick rather than small.  Unpacking is bounded whatever was packed: it goes by steps, each no larger than the
 * caller allows, so that a small message which unpacks to a huge one costs what the caller took of it, and
 * CODING_WINDOW_LOG bounds what it needs of its own.  Exactly one frame of zstd, or member of gzip, is a content; anything behind it
 * is refused.
 * No state is shared; an unpacker is for one thread at a time.
 */
#ifndef SHARED_CODING_H
#define SHARED_CODING_H

#include "shared/buf.h"

enum coding { CODING_NONE, CODING_ZSTD, CODING_GZIP };

/* When packed content is asked for; CODING_AUTO: where it gains time. */
enum coding_use { CODING_NEVER, CODING_AUTO, CODING_ALWAYS };

/* What is asked for where packed content is welcome; the better one first. */
#define CODING_ACCEPTED "zstd, gzip"
/* A window of 8 MiB: what every reader of zstd in HTTP has to take, and no writer may pass (RFC 9659). */
#define CODING_WINDOW_LOG 23

const char *coding_name(enum coding c); /* "zstd"; NULL for none */
/* Of a Content-Encoding; "" and "identity" are none.  False: another one, or several. */
bool coding_parse(struct span content_encoding, enum coding *ret) MUST_USE;

/* Does an Accept-Encoding name it, with a weight above 0?  "*" names none. */
bool coding_is_accepted(struct span accept_encoding, enum coding c);
/*
 * What to answer to an Accept-Encoding: the coding of the greatest weight (RFC 9110, 12.5.3), of equal ones zstd, then gzip, then
 * none.  "*" names none: who packs for a client that does not know what it takes gains nothing.
 */
enum coding coding_choose(struct span accept_encoding);

/* What fits a packet comes no sooner when it is smaller. */
#define CODING_LEAST_BYTES 1400
/* Puts what packs it in the place of `content`, where that is smaller; false: it is as it was, as it is always for none. */
bool coding_pack_smaller(enum coding c, struct buf *content) MUST_USE;
/* Appends `content` as `c`, which is not none; `out` then takes no more memory than its bytes.  False: no memory. */
bool coding_pack(enum coding c, struct span content, struct buf *out) MUST_USE;

struct coding_unpacker;
/* `packed` is borrowed until coding_unpacker_free(), and `c` is not none.  NULL: no memory. */
struct coding_unpacker *coding_unpacker_new(enum coding c, struct span packed) MUST_USE;
void coding_unpacker_free(struct coding_unpacker *u); /* NULL is allowed */
/*
 * Appends the next bytes, at most `most`, of which there must be one.  *ret_ended: that was all, and all of `packed`.
 * INVALID: it is damaged, cut short, followed by other bytes, or wants a larger window; RETRY: no memory.  Not again after these.
 */
enum err coding_unpack(struct coding_unpacker *u, size_t most, struct buf *out, bool *ret_ended,
	struct reason *why) MUST_USE;

#endif
