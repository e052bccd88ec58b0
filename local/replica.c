#include "local/replica_private.h"

#include <stdlib.h>
#include <string.h>

#include "gen/sql_local_migrations.h"

#define APPLICATION_ID 0x54444d4c /* "TDML" */
/* Positions dropped by a transaction beyond twice what it adds: the backlog shrinks, and no commit takes
 * long. */
#define PRUNED_AT_ONCE 256

/* --- opening --- */

static void make_state(struct lite *l, const char *node)
{
	struct epoch epoch = epoch_new();
	unsigned char none[16] = {0};
	struct query q = query_begin(l, SQL_LOCAL_STATE_MAKE);
	query_text(q, 1, span_of(node));
	query_text(q, 2, span_of(epoch.hex));
	bind_hash(q, 3, none);
	query_run(q);
}

static enum err load(struct replica *r, struct reason *why)
{
	struct log_state s;
	lite_begin(r->lite);
	bool found = state_read(r->lite, r->node, &s);
	if (!found)
		make_state(r->lite, r->node);
	else
		known_load(&r->known, r->lite);
	if (lite_failed(r->lite, NULL) != OK)
		return lite_rollback(r->lite, why);
	if (found) {
		r->known.head_seq = s.head.seq;
		atomic_store(&r->pruned_below, known_newest(&r->known));
		return lite_rollback(r->lite, why); /* nothing was written */
	}
	return lite_commit(r->lite, why);
}

static struct lite_config lite_config_of(const char *path, bool writer)
{
	return (struct lite_config){.path = path,
		.writer = writer,
		.queries = &sql_local,
		.migrations = &sql_local_migrations,
		.application_id = APPLICATION_ID};
}

enum err replica_refuse(struct reason *why)
{
	return fail(INTERNAL, why,
		"the database file (or its -wal, -shm or .lock) was removed or replaced while in use, or "
		"another "
		"copy was written over it: nothing can "
		"be stored; start the program again on the file that is to be used");
}

/* Those that are open go on reading what the writer wrote; a new one must not read another file. */
enum err replica_open_reader(struct replica *r, struct lite **ret, struct reason *why)
{
	struct lite_config c = lite_config_of(r->path, false);
	struct lite *l = NULL;
	enum err e = lite_open(&l, &c, why);
	if (replica_is_lost(r)) {
		if (e == OK)
			lite_close(l);
		return replica_refuse(why);
	}
	if (e == OK)
		*ret = l;
	return e;
}

enum err replica_open(struct replica **ret, const struct replica_config *c, struct reason *why)
{
	if (!record_owner_ok(span_of(c->node)))
		return fail(INVALID, why, "%s is not a node's name", c->node);
	struct replica *r = calloc(1, sizeof *r);
	if (!r)
		return fail(RETRY, why, "out of memory");
	r->lock_fd = -1;
	r->positions_kept = c->positions_kept ? c->positions_kept : POSITIONS_KEPT;
	r->replaced_kept = c->replaced_kept ? c->replaced_kept : REPLACED_KEPT;
	memcpy(r->node, c->node, strlen(c->node) + 1);
	known_init(&r->known);
	readers_init(&r->readers);
	pthread_mutex_init(&r->complaints.lock, NULL);
	r->path = strdup(c->path);
	enum err e = r->path ? lite_lock(c->path, &r->lock_fd, why) : fail(RETRY, why, "out of memory");
	struct lite_config lite = lite_config_of(c->path, true);
	if (e == OK)
		e = lite_open(&r->lite, &lite, why);
	if (e == OK)
		e = load(r, why);
	if (e != OK) {
		replica_close(r);
		return e;
	}
	*ret = r;
	return OK;
}

void replica_close(struct replica *r)
{
	if (!r)
		return;
	readers_done(&r->readers);
	pthread_mutex_destroy(&r->complaints.lock);
	lite_close(r->lite); /* the last to close: it empties the write-ahead log */
	lite_unlock(r->lock_fd);
	known_done(&r->known);
	buf_done(&r->body);
	buf_done(&r->old_body);
	free(r->path);
	free(r);
}

bool replica_is_lost(struct replica *r)
{
	if (lite_moved(r->lite))
		atomic_store(&r->unusable, true);
	return atomic_load(&r->unusable);
}

const char *replica_node(const struct replica *r)
{
	return r->node;
}

/* --- the write transaction --- */

/* Something was written. */
static void note_written(struct replica *r)
{
	r->full = false;
	pthread_mutex_lock(&r->complaints.lock);
	r->complaints.writes_fail = false;
	pthread_mutex_unlock(&r->complaints.lock);
}

/* What became of a write tells whether the database takes any, and whether the disk has room. */
static void note_failure(struct replica *r, enum err e, const struct reason *why)
{
	struct complaints *c = &r->complaints;
	if (e == RETRY || e == UNCERTAIN || e == DENIED) {
		pthread_mutex_lock(&c->lock);
		c->writes_fail = true;
		c->write_why = *why;
		pthread_mutex_unlock(&c->lock);
	}
	if (e == OK || !strstr(why->text, REASON_DISK_FULL))
		return;
	r->full_free_bytes = lite_disk_free(r->path);
	r->full = true;
}

enum err replica_write_begin(struct replica *r, struct reason *why)
{
	if (atomic_load(&r->unusable))
		return replica_refuse(why);
	r->changed = false;
	r->overwritten = 0;
	r->error_known = false;
	lite_begin(r->lite);
	if (!state_read(r->lite, r->node, &r->tx))
		lite_fail(r->lite, INTERNAL, "the database is damaged: its state is gone");
	if (lite_failed(r->lite, NULL) != OK) {
		struct reason cause = {""};
		enum err e = lite_rollback(r->lite, &cause);
		note_failure(r, e, &cause);
		return fail(e, why, "%s", cause.text);
	}
	/* Somebody put other contents under us: their numbers may repeat ours. */
	if (r->has_last && !position_equal(r->tx.head, r->last)) {
		r->actor = 0;
		r->shelf.known = false;
	}
	return OK;
}

/* Up to where positions are needed by nobody. */
static uint64_t horizon(struct replica *r)
{
	struct heard oldest;
	uint64_t head = r->tx.head.seq;
	if (!known_oldest(&r->known, &oldest) || head <= r->positions_kept)
		return 0;
	uint64_t kept_from = head - r->positions_kept;
	return oldest.witness.seq < kept_from ? oldest.witness.seq : kept_from;
}

static void prune(struct replica *r)
{
	uint64_t below = horizon(r);
	if (below == 0)
		return;
	if (below > atomic_load(&r->pruned_below))
		atomic_store(&r->pruned_below, below);
	struct query q = query_begin(r->lite, SQL_LOCAL_POSITION_PRUNE);
	query_u64(q, 1, below);
	query_u64(q, 2, PRUNED_AT_ONCE + 2 * r->overwritten);
	query_run(q);
}

static enum err commit_changes(struct replica *r, struct reason *why)
{
	uint64_t heard = known_write(&r->known, r->lite);
	prune(r);
	state_write(r->lite, &r->tx);
	enum err e = lite_commit(r->lite, why);
	if (e == OK) {
		r->last = r->tx.head;
		r->has_last = true;
		known_stored(&r->known, heard);
	} else if (e == UNCERTAIN) {
		r->actor = 0;
		r->has_last = false;
	}
	return e;
}

enum err replica_write_commit(struct replica *r, struct reason *why)
{
	struct reason cause = {""};
	if (replica_is_lost(r)) {
		(void)lite_rollback(r->lite, NULL);
		return replica_refuse(why);
	}
	enum err e = r->changed ? commit_changes(r, &cause) : lite_rollback(r->lite, &cause);
	note_failure(r, e, &cause);
	if (e != OK)
		r->shelf.known = false;
	if (e == OK && r->changed)
		note_written(r);
	if (e != OK)
		(void)fail(e, why, "%s", cause.text);
	if (e == OK && replica_is_lost(r)) /* while it was written */
		return replica_refuse(why);
	if (e == OK && r->changed)
		known_head(&r->known, r->tx.head.seq);
	return e;
}

void replica_touch(struct replica *r)
{
	r->changed = true;
}

void replica_write_rollback(struct replica *r)
{
	struct reason why = {""};
	enum err e = lite_rollback(r->lite, &why);
	note_failure(r, e, &why);
	r->shelf.known = false;
}

void replica_job_begin(struct replica *r)
{
	lite_savepoint(r->lite);
	r->before_job = r->tx;
	r->changed_before_job = r->changed;
}

void replica_job_end(struct replica *r, bool keep)
{
	if (keep) {
		lite_release(r->lite);
		return;
	}
	struct reason why = {""};
	note_failure(r, lite_failed(r->lite, &why), &why);
	lite_savepoint_rollback(r->lite);
	r->shelf.known = false;
	r->tx = r->before_job;
	r->changed = r->changed_before_job;
}

void replica_position(struct replica *r, struct position *ret, struct digest *digest)
{
	*ret = r->tx.head;
	*digest = r->tx.digest;
}

enum err replica_check_basis(struct replica *r, const struct epoch *epoch, struct position witness,
	enum feed_verdict *ret, struct epoch *ret_epoch, struct reason *why)
{
	enum feed_verdict verdict = position_verdict(r->lite, &r->tx, epoch, witness);
	enum err e = lite_failed(r->lite, why);
	if (e == OK) {
		*ret = verdict;
		*ret_epoch = r->tx.epoch;
	}
	return e;
}
