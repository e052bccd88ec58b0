#include "central/exchange.h"

#include <assert.h>
#include <inttypes.h>

static const struct epoch no_epoch;
static const struct position empty_log;

static void begin_decision(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	*ret = (struct sync_change){.to = *s};
	*ev = (struct event){.level = LOG_WARN};
}

static void abandon_present(const struct node_sync *s, struct sync_change *ret)
{
	ret->abandon = true;
	ret->abandoned = s->epoch;
	ret->abandoned_witness = s->witness;
}

bool exchange_decide_epoch_changed(const struct node_sync *s, const struct epoch *now,
	bool known_as_abandoned, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	ret->to.rename_to = ret->to.probe = no_epoch;
	if (epoch_equal(now, &s->epoch))
		return !node_sync_same_basis(s, &ret->to);
	if (known_as_abandoned) {
		ret->to.probe = *now;
		return !node_sync_same_basis(s, &ret->to);
	}
	if (epoch_is_none(&s->epoch)) { /* the first contact is no repair */
		sync_reset(&ret->to, now, empty_log);
		ret->to.reconciling = false;
		return true;
	}
	sync_compare(&ret->to, now, empty_log);
	abandon_present(s, ret);
	ev->kind = "WIPED";
	(void)fail(OK, &ev->text,
		"its database is new (epoch %.8s): the one before held up to position %" PRIu64
		"; what the centre has of it will be pushed back",
		now->hex, s->witness.seq);
	return true;
}

bool exchange_decide_rewound(
	const struct node_sync *s, const struct epoch *fresh, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	if (!epoch_is_none(&s->rename_to)) /* the choice was made before: always the same one, or replies
					      could cross */
		return false;
	ret->to.rename_to = *fresh;
	ev->kind = "REWOUND";
	(void)fail(OK, &ev->text,
		"its database went back to an older state: position %" PRIu64
		" is no longer in its log; it gets a new epoch and both ends are compared",
		s->witness.seq);
	return true;
}

void exchange_decide_renamed(
	const struct node_sync *s, enum rename_result r, struct sync_change *ret, struct event *ev)
{
	assert(!epoch_is_none(&s->rename_to));
	begin_decision(s, ret, ev);
	ret->to.rename_to = no_epoch;
	switch (r) {
	case RENAME_NOT_REWOUND:
		return;
	case RENAME_DONE:
		abandon_present(s, ret);
		sync_compare(&ret->to, &s->rename_to, empty_log);
		return;
	}
}

void exchange_decide_probed(const struct node_sync *s, bool contains_witness,
	struct position abandoned_witness, const struct epoch *fresh, struct sync_change *ret,
	struct event *ev)
{
	assert(!epoch_is_none(&s->probe));
	begin_decision(s, ret, ev);
	if (contains_witness) { /* the probe stays: it is what an operator accepts */
		ret->to.halt = HALT_IDENTITY;
		ev->level = LOG_ERROR;
		ev->kind = "CLONED";
		(void)fail(OK, &ev->text,
			"a database that was left behind (epoch %.8s) answers again with all it had, up to "
			"position %" PRIu64
			": a clone or an older disk put back; nothing moves until an operator resumes it",
			s->probe.hex, abandoned_witness.seq);
		return;
	}
	abandon_present(s, ret);
	sync_compare(&ret->to, &s->probe, abandoned_witness);
	ret->to.probe = no_epoch;
	ret->to.rename_to = *fresh;
	ev->kind = "REWOUND";
	(void)fail(OK, &ev->text,
		"an older copy of its database was put back (epoch %.8s, without position %" PRIu64
		"); it gets a new epoch and both ends are compared",
		s->probe.hex, abandoned_witness.seq);
}

void exchange_decide_reread(
	const struct node_sync *s, const struct reason *cause, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	sync_reset(&ret->to, &s->epoch, s->witness);
	ev->kind = "compared";
	(void)fail(OK, &ev->text, "its buckets could not be compared (%.160s); everything is read again",
		cause->text);
}

void exchange_decide_restless(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	ret->to.halt = HALT_DIVERGED;
	ret->to.doubt_seq = 0;
	ret->to.doubt_local = ret->to.doubt_centre = (struct digest){0};
	ev->level = LOG_ERROR;
	ev->kind = "DIVERGED";
	(void)fail(OK, &ev->text,
		"both ends began anew %" PRIu64
		" times in all and never came to rest of late: it claims another "
		"database, or other records, each time; nothing moves until an operator resumes the node",
		s->resets);
}

static void accept_other(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	struct epoch accepted = epoch_is_none(&s->probe) ? s->epoch : s->probe;

	if (!epoch_equal(&accepted, &s->epoch))
		abandon_present(s, ret);
	ret->forget = accepted;
	ret->to.probe = ret->to.rename_to = no_epoch;
	sync_compare(&ret->to, &accepted, empty_log);
	(void)fail(OK, &ev->text,
		"an operator accepted the database that answers now (epoch %.8s); both ends are compared",
		accepted.hex);
}

static void count_again(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	ret->to.doubt_seq = 0;
	ret->to.doubt_local = ret->to.doubt_centre = (struct digest){0};
	sync_compare(&ret->to, &s->epoch, s->witness);
	ret->to.recount = true;
	(void)fail(OK, &ev->text, "an operator resumed it; both ends are compared and counted again");
}

bool exchange_decide_resumed(const struct node_sync *s, struct sync_change *ret, struct event *ev)
{
	begin_decision(s, ret, ev);
	ret->to.halt = HALT_NONE;
	switch (s->halt) {
	case HALT_NONE:
		return false;
	case HALT_IDENTITY:
		accept_other(s, ret, ev);
		break;
	case HALT_DIVERGED:
		count_again(s, ret, ev);
		break;
	}
	ev->level = LOG_INFO;
	ev->kind = "node.resumed";
	return true;
}
