/*
 * wire - a client that speaks HTTP byte by byte, so that a test can say what no library would.
 * All waiting is bounded by WIRE_PATIENCE_MS; a test that waits longer fails.
 */
#ifndef TESTS_SUPPORT_WIRE_H
#define TESTS_SUPPORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"

#define WIRE_PATIENCE_MS 10000

struct wire {
	int fd;
	struct buf got; /* read and not yet taken */
};

void wire_open(struct wire *w, const char *url); /* fails the test when it cannot connect */
void wire_open_from(struct wire *w, const char *url, const char *address); /* of this machine: "127.0.0.2" */
void wire_close(struct wire *w);
void wire_reset(struct wire *w); /* as a client that vanishes: RST, nothing read */

bool wire_put(struct wire *w, const char *bytes, size_t len); /* false: the peer ended the connection */
void wire_say(struct wire *w, const char *fmt, ...) PRINTF(2, 3);

struct wire_answer {
	int status; /* 0: the connection ended instead */
	struct buf head, body;
};

/* The next answer; `head_only` for one to HEAD and for 1xx, which have no body. */
void wire_take(struct wire *w, bool head_only, struct wire_answer *ret);
void wire_answer_done(struct wire_answer *a);
/* Takes an answer of that status with that text in its body; a refusal must be a problem, and 503 say when to come again. */
void wire_expect(struct wire *w, int status, const char *text);
/* Is "Name: value" a line of the head? */
bool wire_has(const struct wire_answer *a, const char *line);

bool wire_ended(struct wire *w); /* waits for the end; false when more bytes come or it lives on */
/* Waits at most `ms` for the peer to send or end; true: it did. */
bool wire_stirs(struct wire *w, int ms);

#endif
