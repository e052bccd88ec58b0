/*
 * SQLite's way to the files of a database, with fewer calls to the kernel.
 *
 * SQLite writes each page of a write-ahead log by two calls, and reads a page at a time: half of what durable writing costs.
 * Here what is written to the log one behind the other goes by one call, and what is read one behind the other is read ahead, of the log
 * and of the database.  All that SQLite counts on stays:
 *
 * - What was gathered is written before anything else is done to the log, above all before it is flushed to the disk.  With
 *   synchronous=FULL SQLite does that before it says, in the log's index, that it is there: so nobody else looks for it before.
 * - It is written before the lock of writers is given back, too (after a rollback some may be left): later it would fall on what another
 *   has committed.
 * - A write that could not be done is told by the next call, which may be a read that its caller takes lightly: so the log fails
 *   from then on, until the lock of writers is given back.  Nobody can commit over the gap.
 * - A database is written at once.  At the end of a checkpoint that others' readers cut short SQLite calls nobody before it says in the
 *   index how far the log was moved: what was still gathered then would be missed, and if it could not be written, lost.
 * - What was read ahead is forgotten with each lock that is taken or given back, and SQLite reads nothing outside of locks.  As
 *   long as it has them, what it may read of a file is the same: its own cache of pages rests on that as well.
 *
 * Of a file's handle there is one user at a time, as of the connection.
 */
#include "shared/lite_private.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Of one call; SQLite's own takes no more than 128 KiB. */
#define ROOM (64 * 1024)
/* What lies between the pages of a log. */
#define FRAME_HEAD 24
/* Its place among the locks of the index, which is part of the format (WAL_WRITE_LOCK). */
#define WRITERS_LOCK 0

struct file {
	sqlite3_file base;
	struct file *database; /* that it belongs to; it may be that itself */
	struct file *log;      /* of a database, while it is open */
	uint64_t locks;        /* of a database: how often one was taken or given back */
	char *bytes;           /* ROOM; NULL: not wanted yet.  They hold: */
	sqlite3_int64 at;
	int n; /* of the file from `at` on; */
	bool unwritten;
	int failed;             /* of a log: what a write was told, while that transaction lasts */
	uint64_t read_locks;    /* else they were read when there had been so many of `locks` */
	sqlite3_int64 read_end; /* of the last read */
};

static struct {
	pthread_once_t once;
	sqlite3_vfs *under;
	sqlite3_vfs over;
} vfs = {.once = PTHREAD_ONCE_INIT};

static struct file *file_of(sqlite3_file *p)
{
	return (struct file *)(void *)p;
}

/* SQLite's own follows ours. */
static sqlite3_file *under(sqlite3_file *p)
{
	return (sqlite3_file *)(void *)(file_of(p) + 1);
}

static const sqlite3_io_methods *io(sqlite3_file *p)
{
	return under(p)->pMethods;
}

static bool has_bytes(struct file *f)
{
	if (!f->bytes)
		f->bytes = malloc(ROOM);
	return f->bytes != NULL; /* without them it goes as ever */
}

/* Of a log; a database has nothing unwritten. */
static int write_out(sqlite3_file *p)
{
	struct file *f = file_of(p);
	int n = f->n;

	if (!f->unwritten || f->failed != SQLITE_OK)
		return f->failed;
	f->unwritten = false;
	f->n = 0;
	f->failed = io(p)->xWrite(under(p), f->bytes, n, f->at);
	return f->failed;
}

static int database_write(sqlite3_file *p, const void *from, int n, sqlite3_int64 at)
{
	file_of(p)->n = 0;
	return io(p)->xWrite(under(p), from, n, at);
}

static int log_write(sqlite3_file *p, const void *from, int n, sqlite3_int64 at)
{
	struct file *f = file_of(p);
	bool follows = f->unwritten && at == f->at + f->n && n <= ROOM - f->n;
	int rc = follows ? SQLITE_OK : write_out(p);

	if (rc != SQLITE_OK)
		return rc;
	if (!follows)
		f->n = 0;
	if (n > ROOM || !has_bytes(f))
		return io(p)->xWrite(under(p), from, n, at);
	if (!follows)
		f->at = at;
	memcpy(f->bytes + f->n, from, (size_t)n);
	f->n += n;
	f->unwritten = true;
	return SQLITE_OK;
}

static int file_write(sqlite3_file *p, const void *from, int n, sqlite3_int64 at)
{
	bool database = file_of(p)->database == file_of(p);

	return database ? database_write(p, from, n, at) : log_write(p, from, n, at);
}

static bool holds(const struct file *f, int n, sqlite3_int64 at)
{
	return f->read_locks == f->database->locks && at >= f->at && at + n <= f->at + f->n;
}

/* With what follows, as far as there is any. */
static int read_ahead(sqlite3_file *p, void *to, int n, sqlite3_int64 at)
{
	struct file *f = file_of(p);
	sqlite3_int64 size = 0;
	int rc = io(p)->xFileSize(under(p), &size);

	f->n = 0;
	if (rc != SQLITE_OK || size - at <= n || !has_bytes(f))
		return io(p)->xRead(under(p), to, n, at);
	int more = size - at < ROOM ? (int)(size - at) : ROOM;
	rc = io(p)->xRead(under(p), f->bytes, more, at);
	if (rc != SQLITE_OK) /* perhaps it became shorter */
		return io(p)->xRead(under(p), to, n, at);
	f->at = at;
	f->n = more;
	f->read_locks = f->database->locks;
	memcpy(to, f->bytes, (size_t)n);
	return SQLITE_OK;
}

static int file_read(sqlite3_file *p, void *to, int n, sqlite3_int64 at)
{
	struct file *f = file_of(p);
	bool follows = n < ROOM && (at == f->read_end || at == f->read_end + FRAME_HEAD);
	int rc = write_out(p);

	if (rc != SQLITE_OK)
		return rc;
	f->read_end = at + n;
	if (holds(f, n, at)) {
		memcpy(to, f->bytes + (at - f->at), (size_t)n);
		return SQLITE_OK;
	}
	return follows ? read_ahead(p, to, n, at) : io(p)->xRead(under(p), to, n, at);
}

static int file_truncate(sqlite3_file *p, sqlite3_int64 size)
{
	int rc = write_out(p);

	file_of(p)->n = 0;
	return rc == SQLITE_OK ? io(p)->xTruncate(under(p), size) : rc;
}

static int file_sync(sqlite3_file *p, int flags)
{
	int rc = write_out(p);

	return rc == SQLITE_OK ? io(p)->xSync(under(p), flags) : rc;
}

static int file_size(sqlite3_file *p, sqlite3_int64 *ret)
{
	int rc = write_out(p);

	return rc == SQLITE_OK ? io(p)->xFileSize(under(p), ret) : rc;
}

static int file_close(sqlite3_file *p)
{
	struct file *f = file_of(p);
	int rc = write_out(p), closed = io(p)->xClose(under(p));

	if (f->database->log == f)
		f->database->log = NULL;
	free(f->bytes);
	return rc == SQLITE_OK ? closed : rc;
}

static int file_control(sqlite3_file *p, int op, void *arg)
{
	return io(p)->xFileControl(under(p), op, arg);
}

static int file_sector_size(sqlite3_file *p)
{
	return io(p)->xSectorSize(under(p));
}

static int file_characteristics(sqlite3_file *p)
{
	return io(p)->xDeviceCharacteristics(under(p));
}

/* --- locks --- */

static int file_lock(sqlite3_file *p, int level)
{
	file_of(p)->locks++;
	return io(p)->xLock(under(p), level);
}

static int file_unlock(sqlite3_file *p, int level)
{
	file_of(p)->locks++;
	return io(p)->xUnlock(under(p), level);
}

static int file_is_reserved(sqlite3_file *p, int *ret)
{
	return io(p)->xCheckReservedLock(under(p), ret);
}

static int index_map(sqlite3_file *p, int region, int size, int extend, void volatile **ret)
{
	return io(p)->xShmMap(under(p), region, size, extend, ret);
}

/* What a commit needs was flushed.  The rest was rolled back: nobody misses it, and the next transaction writes there. */
static void end_writing(struct file *log)
{
	(void)write_out(&log->base);
	log->failed = SQLITE_OK;
}

static int index_lock(sqlite3_file *p, int at, int n, int flags)
{
	struct file *f = file_of(p);

	f->locks++;
	if (flags & SQLITE_SHM_UNLOCK && at == WRITERS_LOCK && f->log)
		end_writing(f->log);
	return io(p)->xShmLock(under(p), at, n, flags);
}

static void index_barrier(sqlite3_file *p)
{
	io(p)->xShmBarrier(under(p));
}

static int index_unmap(sqlite3_file *p, int remove)
{
	return io(p)->xShmUnmap(under(p), remove);
}

/* The second version: without mmap, which a file that is cut short would turn into the end of the process. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = index_map,
	.xShmLock = index_lock,
	.xShmBarrier = index_barrier,
	.xShmUnmap = index_unmap,
};

/* --- opening --- */

/* Databases and their logs; other files are SQLite's own, which fit as well. */
static int open_file(sqlite3_vfs *unused, const char *name, sqlite3_file *p, int flags, int *ret_flags)
{
	struct file *f = file_of(p);

	(void)unused;
	if (!name || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return vfs.under->xOpen(vfs.under, name, p, flags, ret_flags);
	*f = (struct file){.database = f, .read_end = -1};
	memset(under(p), 0, (size_t)vfs.under->szOsFile);
	int rc = vfs.under->xOpen(vfs.under, name, under(p), flags, ret_flags);
	if (rc != SQLITE_OK)
		return rc;
	assert(io(p)->iVersion >= 2);
	f->base.pMethods = &methods;
	if (flags & SQLITE_OPEN_WAL) {
		f->database = file_of(sqlite3_database_file_object(name));
		f->database->log = f;
	}
	return SQLITE_OK;
}

static void make(void)
{
	vfs.under = sqlite3_vfs_find(NULL);
	assert(vfs.under);
	vfs.over = *vfs.under;
	vfs.over.zName = LITE_VFS;
	vfs.over.pNext = NULL;
	vfs.over.szOsFile = (int)sizeof(struct file) + vfs.under->szOsFile;
	vfs.over.xOpen = open_file;
	int rc = sqlite3_vfs_register(&vfs.over, 0);
	assert(rc == SQLITE_OK);
}

const char *lite_vfs(void)
{
	pthread_once(&vfs.once, make);
	return LITE_VFS;
}
