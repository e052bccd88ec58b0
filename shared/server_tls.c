/* TLS at a server: libmicrohttpd makes the connection, each with what tls.h says when it begins. */
#include "shared/server_private.h"

#include <stdlib.h>

/* For who speaks HTTP where TLS is spoken: a whole answer, made once. */
static void make_refusal(struct server *s)
{
	struct http_reply r = {0};
	http_problem(&r, "tls_required", "this port speaks TLS: ask it by https://");
	buf_printf(&s->refusal,
		"HTTP/1.1 %d Bad Request\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: "
		"close\r\n\r\n",
		r.status, r.content_type, r.body.len);
	buf_put(&s->refusal, buf_span(&r.body));
	if (buf_failed(&s->refusal) || buf_failed(&r.body))
		err_out_of_memory();
	http_reply_done(&r);
}

void server_tls_open(struct server *s, struct tls *t)
{
	pthread_mutex_init(&s->tls_lock, NULL);
	s->tls = t ? tls_hold(t) : NULL;
	if (t)
		make_refusal(s);
}

void server_tls_close(struct server *s)
{
	tls_release(s->tls);
	buf_done(&s->refusal);
	pthread_mutex_destroy(&s->tls_lock);
}

/* libmicrohttpd wants a pair; each connection has its own before it begins. */
void server_tls_options(const struct server *s, struct MHD_OptionItem ret[SERVER_TLS_OPTIONS])
{
	unsigned n = 0;
	if (s->tls) {
		ret[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)tls_certificate(s->tls).at};
		ret[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)tls_key(s->tls).at};
		ret[n++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities};
	}
	ret[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static void *session_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return i ? i->tls_session : NULL;
}

void server_tls_attend(struct server *s, struct connection *conn, struct MHD_Connection *c)
{
	if (!s->speaks_tls)
		return;
	pthread_mutex_lock(&s->tls_lock);
	bool good = tls_attend(&conn->peer, s->tls, session_of(c), conn->entry.fd, s->refusal.at);
	pthread_mutex_unlock(&s->tls_lock);
	if (!good)
		err_out_of_memory();
}

void server_tls_part(struct connection *conn)
{
	tls_part(&conn->peer);
}

void server_tls_judge(struct connection *conn, struct MHD_Connection *c, struct http_request *q)
{
	q->tls = conn->peer.tls != NULL;
	q->uncertified = q->tls ? tls_wrong(&conn->peer, session_of(c)) : NULL;
}

void server_set_tls(struct server *s, struct tls *t)
{
	pthread_mutex_lock(&s->tls_lock);
	struct tls *before = s->tls;
	s->tls = tls_hold(t);
	pthread_mutex_unlock(&s->tls_lock);
	tls_release(before);
}
