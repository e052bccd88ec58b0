/*
 * page - one page of a local's feed: its request, its lines, its end.
 *
 * Encoding (local) and decoding (centre) stand side by side so that they cannot
 * drift.  A page without its last line is truncated and nothing of it counts.
 */
#ifndef SHARED_PAGE_H
#define SHARED_PAGE_H

#include "shared/ailment.h"
#include "shared/arena.h"
#include "shared/chrony.h"
#include "shared/position.h"
#include "shared/protocol.h"
#include "shared/record.h"

#define PAGE_LIMIT_DEFAULT 5000
#define PAGE_LIMIT_MAX 10000
#define PAGE_BYTES_DEFAULT (4 * 1024 * 1024)
#define PAGE_BYTES_MAX (16 * 1024 * 1024)
#define PAGE_WAIT_MAX_MS 25000
#define PAGE_REFUSED_MAX 1000 /* lines that are no records: more of them say something of the local */

/* GET /v1/changes?…  Every replication call says `centre`, `request`, `protocol`, `epoch` and `witness`. */
struct page_request {
	struct epoch centre;  /* who asks; acknowledgements are kept per centre */
	struct epoch request; /* 32 hex digits, echoed by the answer */
	struct epoch epoch;   /* none before the first contact */
	unsigned protocol;    /* read: the version to answer in; written is the range spoken here */
	uint64_t after;       /* the cursor */
	struct position witness;
	unsigned limit;     /* records; 0 = a probe: nothing but the end line */
	unsigned max_bytes; /* the page ends before the record that would pass it, but holds at least one */
	int64_t wait_ms;    /* hold the request until there is news, at most this long */
	bool recount; /* the digest of a page that ends at the head is to be summed from the rows, not read
			 from the counters */
};
void page_request_encode(const struct page_request *q, struct buf *target);
/* "?centre=…&request=…&protocol=…&epoch=…&witness=…", as in every replication call. */
void page_request_encode_basis(const struct page_request *q, struct buf *target);

/* Records of a local whose bytes no longer give their hash: a disk or a hand changed them. */
struct page_damage {
	bool known; /* they were looked for: the rows were summed, and each one's bytes hashed */
	uint64_t records;
	char first[RECORD_ID_MAX + 1]; /* the id of one of them; "" = not to be read either */
};

/* The end of a page, all from one read transaction. */
struct page_end {
	struct position to;   /* where the page ends: the next cursor */
	uint64_t head_seq;    /* the log's end */
	bool more;            /* to is not yet the head */
	struct digest digest; /* of all records of the local, at head_seq */
	struct page_damage damage;
	int64_t oldest_after_us; /* when the oldest record after `to` was updated; -1 = none or not known */
	int64_t t_recv_us, t_send_us; /* the local's wall clock around its work */
	int64_t clock_error_us;       /* -1: not synchronised */
	struct chrony chrony;         /* what keeps the local's clock; unknown: not told, or not readable */
	struct ailments unwell;       /* what the local says is wrong with it; for people */
	bool brief;                   /* of a push's answer: what was applied has no lines, but is counted: */
	uint64_t applied;
};

struct page_begin {
	char node[RECORD_OWNER_MAX + 1];
	struct epoch epoch;
	struct epoch request;
	char version[32];  /* of the program */
	unsigned protocol; /* the version that is spoken; page_decode_begin() takes any */
};

void page_encode_begin(const struct page_begin *b, struct buf *out);
void page_encode_end(const struct page_end *e, struct buf *out);
/* The first line of an answer's body: also to tell a wrong node from a wrong page. */
enum err page_decode_begin(struct page_begin *ret, struct span body, struct reason *why) MUST_USE;
enum err page_decode_end(struct page_end *ret, struct span line, struct reason *why) MUST_USE;

/* A line that is no record, though it says of which it would be. */
struct page_refused {
	struct record_claim claim;
	struct span line; /* as it came, without its end */
	struct reason why;
};

struct page {
	struct page_begin begin;
	struct record *records; /* rising seq; `owner` is the node's */
	size_t n;
	struct page_refused *refused; /* rising seq, among those of the records */
	size_t n_refused;
	struct page_end end;
	struct arena arena;
};
/*
 * Spans of the records point into `body`, which must outlive the page.  `owner` is the
 * node asked: a record of another owner is refused, as one whose hash does not fit or that breaks another rule of
 * record.h.  INVALID with the line: truncated, a line that does not even say which record it is, more than
 * PAGE_REFUSED_MAX that only do that, seq not rising or not within (after, to.seq].
 */
enum err page_decode(
	struct page *ret, struct span body, struct span owner, uint64_t after, struct reason *why) MUST_USE;
void page_done(struct page *p);

/* The lines of such an answer, for all that are framed like a page: begin, one line each, end. */
struct page_lines {
	struct span *at; /* without their ends; at least two */
	size_t n;
};
/* INVALID: no whole lines, or more than `max` between the first and the last. */
enum err page_lines_split(
	struct page_lines *ret, struct span body, size_t max, struct arena *a, struct reason *why) MUST_USE;
/* Reads the first and the last line; an answer of another node than `owner` is refused. */
enum err page_lines_frame(const struct page_lines *lines, struct span owner, struct page_begin *begin,
	struct page_end *end, struct reason *why) MUST_USE;
/* INVALID "line N: …" */
enum err page_lines_fail(size_t line, struct reason *why, const struct reason *inner);

#endif
