#include "shared/lite_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define LOCK_WAIT_MS 500
#define LOCK_EVERY_MS 10

/* SQLite's count of its memory, which nobody asks for, would take a lock at each allocation. */
__attribute__((constructor)) static void init(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool lite_in_memory(const char *path)
{
	return strcmp(path, ":memory:") == 0 ||
	       (strncmp(path, "file:", 5) == 0 && (strstr(path, "vfs=memdb") || strstr(path, "mode=memory")));
}

/* --- the lock --- */

/*
 * The lock of a process that was killed may outlive it for a moment: in a child that it was about to make another program
 * of (chrony_ask.c), which has our descriptors until then.
 */
static bool take_lock(int fd)
{
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_EVERY_MS) {
		if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS)
			return false;
		poll(NULL, 0, LOCK_EVERY_MS);
	}
	return true;
}

enum err lite_lock(const char *path, int *ret_fd, struct reason *why)
{
	if (lite_in_memory(path)) {
		*ret_fd = -1;
		return OK;
	}
	char *name = NULL;
	if (asprintf(&name, "%s.lock", path) < 0)
		return fail(RETRY, why, "out of memory");
	enum err e = OK;
	struct stat st;
	bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int fd = directory ? -1 : open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (directory) {
		e = fail(INVALID, why, "%s is a directory; give the name of a file", path);
	} else if (fd < 0 && errno == ENOENT) {
		e = fail(INVALID, why, "%s: there is no such directory to make it in", path);
	} else if (fd < 0) {
		e = fail(errno == EACCES || errno == EROFS || errno == EPERM ? DENIED : INVALID, why,
			"%s: %s", name, strerror(errno));
	} else if (!take_lock(fd)) {
		if (errno == EWOULDBLOCK)
			e = fail(DENIED, why, "%s is in use by another process (%s is locked)", path, name);
		else
			e = fail(RETRY, why, "%s: %s", name, strerror(errno));
		close(fd);
	} else {
		*ret_fd = fd;
	}
	free(name);
	return e;
}

void lite_unlock(int fd)
{
	/* The name stays: removing it would let two processes lock two files. */
	if (fd >= 0)
		close(fd);
}

/* --- the files --- */

struct lite_file lite_file_at(const char *name)
{
	struct stat st;
	if (stat(name, &st) != 0)
		return (struct lite_file){0, 0};
	return (struct lite_file){st.st_dev, st.st_ino};
}

int64_t lite_disk_free(const char *path)
{
	struct statvfs st;
	if (statvfs(path, &st) != 0)
		return -1;
	return (int64_t)(st.f_bavail * st.f_frsize);
}

/* What the names name now, with the log begun, is what they must name as long as the writer is open. */
static enum err remember_files(struct lite *l, struct reason *why)
{
	static const char *const ends[LITE_FILES] = {"", "-wal", "-shm", ".lock"};
	const char *file = sqlite3_db_filename(l->db, "main");
	for (size_t i = 0; i < LITE_FILES; i++) {
		if (asprintf(&l->name[i], "%s%s", file, ends[i]) < 0) {
			l->name[i] = NULL;
			return fail(RETRY, why, "out of memory");
		}
		l->file[i] = lite_file_at(l->name[i]);
	}
	return OK;
}

/* --- opening --- */

static enum err execute(struct lite *l, const char *sql, struct reason *why)
{
	int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? OK : lite_classify(l->db, rc, sql, why);
}

static enum err read_number(struct lite *l, const char *sql, int64_t *ret, struct reason *why)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	enum err e = OK;
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		e = lite_classify(l->db, rc, sql, why);
	sqlite3_finalize(s);
	return e;
}

static enum err connect_file(struct lite *l, const struct lite_config *c, struct reason *why)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	flags |= c->writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	if (strncmp(c->path, "file:", 5) == 0)
		flags |= SQLITE_OPEN_URI;
	int rc = sqlite3_open_v2(c->path, &l->db, flags, lite_vfs());
	if (rc != SQLITE_OK)
		return lite_classify(l->db, rc, c->path, why);
	sqlite3_busy_timeout(l->db, BUSY_TIMEOUT_MS);
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	return execute(l,
		"PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
		"PRAGMA secure_delete=OFF; PRAGMA foreign_keys=ON",
		why);
}

/*
 * Closing the last connection moves what is in the write-ahead log into the file.  Of a file that another, perhaps a
 * newer program left in the middle of its work nothing is moved before it is known to be ours.
 */
static void keep_log(struct lite *l, bool keep)
{
	const char *file = sqlite3_db_filename(l->db, "main");
	struct stat st;

	if (!keep || (file && file[0] && stat(sqlite3_filename_wal(file), &st) == 0 && st.st_size > 0))
		sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)keep, (int *)NULL);
}

/* Is it ours, or empty and so to become ours?  Nothing is changed before that is known. */
static enum err check_kind(
	struct lite *l, const struct lite_config *c, int64_t *ret_version, struct reason *why)
{
	int64_t kind = 0, version = 0, tables = 0;
	struct reason cause;
	enum err e = read_number(l, "PRAGMA application_id", &kind, &cause);
	if (e == OK)
		e = read_number(l, "PRAGMA user_version", &version, &cause);
	if (e == OK)
		e = read_number(l, "SELECT count(*) FROM sqlite_schema", &tables, &cause);
	if (e == INTERNAL)
		return fail(INVALID, why, "%s is not a database: %s", c->path, cause.text);
	if (e != OK)
		return fail(e, why, "%s: %s", c->path, cause.text);
	bool fresh = kind == 0 && version == 0 && tables == 0;
	if (kind != c->application_id && !(fresh && c->writer))
		return fail(INVALID, why, "%s is not a database of this program", c->path);
	if (version > (int64_t)c->migrations->n)
		return fail(INVALID, why,
			"%.240s was written by a newer version of this program: its schema is %lld, this one "
			"knows up to %zu; start the newer one, or put back a copy from before the upgrade",
			c->path, (long long)version, c->migrations->n);
	if (!c->writer && version < (int64_t)c->migrations->n)
		return fail(INVALID, why, "%s has not been brought to this version's schema", c->path);
	*ret_version = version;
	return OK;
}

static enum err start_journal(struct lite *l, const struct lite_config *c, struct reason *why)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, "PRAGMA journal_mode=WAL", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	bool wal = mode && strcmp(mode, "wal") == 0;
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(s); /* what it changes is committed only now */
	sqlite3_finalize(s);
	if (rc != SQLITE_DONE)
		return lite_classify(l->db, rc, "journal_mode", why);
	if (!wal)
		return fail(INTERNAL, why, "%s: no write-ahead log is possible in this place", c->path);
	return OK;
}

static enum err migrate_one(struct lite *l, const struct lite_config *c, size_t i, struct reason *why)
{
	char mark[96];
	snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%zu", c->application_id,
		i + 1);
	struct reason cause;
	enum err e = execute(l, "BEGIN IMMEDIATE", &cause);
	if (e == OK)
		e = execute(l, c->migrations->text[i], &cause);
	if (e == OK)
		e = execute(l, mark, &cause);
	if (e == OK)
		e = execute(l, "COMMIT", &cause);
	if (e == OK)
		return OK;
	if (!sqlite3_get_autocommit(l->db))
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return fail(e, why, "%s: migration %s: %s", c->path, c->migrations->name[i], cause.text);
}

static enum err become_writer(
	struct lite *l, const struct lite_config *c, int64_t version, struct reason *why)
{
	enum err e = l->memory ? OK : start_journal(l, c, why);
	if (e == OK)
		e = execute(l, "PRAGMA synchronous=FULL", why);
	if (e == OK && c->autocheckpoint_pages > 0)
		sqlite3_wal_autocheckpoint(l->db, c->autocheckpoint_pages);
	for (size_t i = (size_t)version; e == OK && i < c->migrations->n; i++)
		e = migrate_one(l, c, i, why);
	if (e == OK && !l->memory)
		e = remember_files(l, why);
	return e;
}

static enum err become_reader(struct lite *l, struct reason *why)
{
	sqlite3_wal_autocheckpoint(l->db, 0);
	return execute(l, "PRAGMA query_only=ON", why);
}

static enum err prepare(
	struct lite *l, const char *name, const char *sql, sqlite3_stmt **ret, struct reason *why)
{
	int rc = sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	if (rc == SQLITE_OK && *ret)
		return OK;
	if (rc == SQLITE_OK)
		return fail(INTERNAL, why, "statement %s is empty", name);
	return lite_classify(l->db, rc, name, why);
}

static enum err prepare_all(struct lite *l, struct reason *why)
{
	static const char *const verb[3] = {"SAVEPOINT", "RELEASE", "ROLLBACK TO"};
	enum err e =
		prepare(l, "begin", l->writer ? "BEGIN IMMEDIATE" : "BEGIN", &l->control[CONTROL_BEGIN], why);
	if (e == OK)
		e = prepare(l, "commit", "COMMIT", &l->control[CONTROL_COMMIT], why);
	if (e == OK)
		e = prepare(l, "rollback", "ROLLBACK", &l->control[CONTROL_ROLLBACK], why);
	for (int i = 0; e == OK && i < 3 * LITE_NESTING; i++) {
		char sql[32];
		snprintf(sql, sizeof sql, "%s s%d", verb[i % 3], i / 3);
		e = prepare(l, sql, sql, &l->control[CONTROL_SAVEPOINT + i], why);
	}
	for (size_t i = 0; e == OK && i < l->queries->n; i++)
		e = prepare(l, l->queries->name[i], l->queries->text[i], &l->stmt[i], why);
	return e;
}

enum err lite_open(struct lite **ret, const struct lite_config *c, struct reason *why)
{
	struct lite *l = calloc(1, sizeof *l);
	if (!l)
		return fail(RETRY, why, "out of memory");
	l->writer = c->writer;
	l->memory = lite_in_memory(c->path);
	l->queries = c->queries;
	l->stmt = calloc(c->queries->n + 1, sizeof(sqlite3_stmt *));
	int64_t version = 0;
	enum err e = l->stmt ? connect_file(l, c, why) : fail(RETRY, why, "out of memory");
	if (e == OK) {
		keep_log(l, true);
		e = check_kind(l, c, &version, why);
	}
	if (e == OK) {
		keep_log(l, false);
		e = c->writer ? become_writer(l, c, version, why) : become_reader(l, why);
	}
	if (e == OK)
		e = prepare_all(l, why);
	if (e != OK) {
		lite_close(l);
		return e;
	}
	*ret = l;
	return OK;
}

bool lite_wrote(struct lite *l)
{
	int64_t before = l->written;
	l->written = sqlite3_total_changes64(l->db);
	return l->written != before;
}

void lite_rest(struct lite *l)
{
	(void)sqlite3_db_release_memory(l->db);
}

void lite_close(struct lite *l)
{
	if (!l)
		return;
	for (size_t i = 0; l->stmt && i < l->queries->n; i++)
		sqlite3_finalize(l->stmt[i]);
	for (size_t i = 0; i < LITE_CONTROLS; i++)
		sqlite3_finalize(l->control[i]);
	int rc = sqlite3_close(l->db);
	assert(rc == SQLITE_OK); /* else somebody kept a statement */
	for (size_t i = 0; i < LITE_FILES; i++)
		free(l->name[i]);
	free(l->stmt);
	free(l);
}
