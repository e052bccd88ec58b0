/*
 * carrier - takes requests to the locals and answers back to the centre, one step at a time.
 */
#ifndef TESTS_SIM_CARRIER_H
#define TESTS_SIM_CARRIER_H

#include "tests/sim/world.h"

/* One request at a local, whoever asks: the reply's body is the caller's to free.  Returns the status. */
int carrier_call(
	struct site *s, enum http_method method, struct span target, struct span body, struct buf *ret);

/* The centre makes its next request, if its plan has one. */
void carrier_send(struct world *w, struct site *s);
/* The request arrives, and its answer sets out.  A second time: it arrived twice. */
void carrier_deliver(struct world *w, struct site *s, struct flight *f);
/* It arrives at another node, which answers it. */
void carrier_deliver_astray(struct world *w, struct site *s, struct site *at);
/* The answer arrives whole. */
void carrier_receive(struct world *w, struct site *s, struct flight *f);
/* The answers of all locals that have one arrive together. */
void carrier_receive_all(struct world *w);
/* Only the first `len` bytes of it arrive. */
void carrier_receive_cut(struct world *w, struct site *s, size_t len);
/* Nothing arrives in time. */
void carrier_time_out(struct world *w, struct site *s);
/* An answer to an earlier request arrives instead. */
void carrier_receive_other(struct world *w, struct site *s, const struct past *p);
/* An earlier request arrives again; nobody waits for its answer. */
void carrier_deliver_past(struct world *w, struct site *s, const struct past *p);

void carrier_drop(struct flight *f);
void carrier_drop_lates(struct site *s);

#endif
