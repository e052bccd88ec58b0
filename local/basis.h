/*
 * basis - what every replication request says first: who asks, in which protocol, from where in which epoch.
 */
#ifndef LOCAL_BASIS_H
#define LOCAL_BASIS_H

#include "local/local.h"

/* The version to answer in, from what the centre offers; false: there is none and the reply has been filled. */
bool basis_protocol(struct protocol_range centre, unsigned *ret, struct http_reply *r) MUST_USE;
/* Is the request as it was sent?  False: the reply has been filled. */
bool basis_intact(const struct http_request *q, struct http_reply *r) MUST_USE;
/* Reads centre, request, protocol, epoch and witness from the query of an intact request; false: the reply has been filled. */
bool basis_read(const struct http_request *q, struct page_request *ret, struct http_reply *r) MUST_USE;
/* An optional whole number of the query, at most `max`; absent leaves *ret alone.  False: the reply has been
 * filled. */
bool basis_number(const struct http_request *q, const char *name, uint64_t max, uint64_t *ret,
	struct http_reply *r) MUST_USE;

/* The end of every answer to a replication call: its check, how pushes may come, then the coding that the centre takes. */
void basis_answer(const struct http_request *q, struct http_reply *r);
/* 409 epoch_changed or rewound, with the present epoch, the node's name and the request's id. */
void basis_refuse(const struct local *l, const struct page_request *q, const struct feed_served *s,
	struct http_reply *r);

#endif
