#include "tests/sim/past.h"

#include "tests/sim/stand_in.h"

static void past_done(struct past *p)
{
	buf_done(&p->target);
	buf_done(&p->body);
	buf_done(&p->answer);
	*p = (struct past){0};
}

void past_forget(struct site *s)
{
	for (unsigned i = 0; i < PASTS; i++)
		past_done(&s->pasts[i]);
	s->n_pasts = 0;
}

/* What is no longer among the newest may stay for long: it arrives after resets and restores. */
static void keep_old(struct site *s, struct past *p)
{
	struct past *to = &s->pasts[PASTS_NEW + chance_below(PASTS - PASTS_NEW)];

	if (p->target.len > 0 && (to->target.len == 0 || chance_percent(15))) {
		past_done(to);
		*to = *p;
		*p = (struct past){0};
	}
}

void past_keep_request(const struct world *w, struct site *s, const struct exchange *x)
{
	struct past *p = &s->pasts[s->n_pasts++ % PASTS_NEW];

	keep_old(s, p);
	past_done(p);
	p->request = x->request;
	p->life = w->life;
	p->method = x->method;
	buf_put(&p->target, buf_span(&x->target));
	buf_put(&p->body, buf_span(&x->body));
}

void past_keep_answer(struct site *s, const struct epoch *request, int status, struct span body)
{
	for (unsigned i = 0; i < PASTS; i++) {
		struct past *p = &s->pasts[i];

		if (p->target.len > 0 && epoch_equal(&p->request, request)) {
			buf_clear(&p->answer);
			p->status = status;
			buf_put(&p->answer, body);
		}
	}
}

const struct past *past_pick(const struct site *s)
{
	const struct past *p = &s->pasts[chance_below(PASTS)];

	for (unsigned i = 0; i < 3 && p->target.len == 0; i++)
		p = &s->pasts[chance_below(PASTS)];
	return p->target.len == 0 ? NULL : p;
}
