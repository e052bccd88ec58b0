#include "tests/support/lite_under.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct watched {
	sqlite3_file base;
	int flags;
};

struct lite_under lite_under;

static sqlite3_file *system_of(sqlite3_file *p)
{
	return (sqlite3_file *)(void *)((struct watched *)(void *)p + 1);
}

static int count_read(sqlite3_file *p, void *to, int n, sqlite3_int64 at)
{
	lite_under.reads++;
	return system_of(p)->pMethods->xRead(system_of(p), to, n, at);
}

static bool is_refused(const struct watched *f)
{
	if (!lite_under.refuses || !(f->flags & lite_under.refused_files))
		return false;
	if (lite_under.granted > 0) {
		lite_under.granted--;
		return false;
	}
	if (lite_under.was_refused == lite_under.refusals)
		return false;
	lite_under.was_refused++;
	return true;
}

static int count_write(sqlite3_file *p, const void *from, int n, sqlite3_int64 at)
{
	const struct watched *f = (struct watched *)(void *)p;
	bool log = f->flags & SQLITE_OPEN_WAL;

	lite_under.writes++;
	lite_under.unsynced++;
	lite_under.log_writes += log;
	lite_under.log_written += log ? (size_t)n : 0;
	if (is_refused(f))
		return lite_under.refuses;
	return system_of(p)->pMethods->xWrite(system_of(p), from, n, at);
}

static int count_sync(sqlite3_file *p, int flags)
{
	lite_under.syncs++;
	lite_under.unsynced = 0;
	return system_of(p)->pMethods->xSync(system_of(p), flags);
}

#define PASS(member, parameters, ...)                                             \
	static int pass_##member parameters                                       \
	{                                                                         \
		return system_of(p)->pMethods->member(system_of(p), __VA_ARGS__); \
	}
PASS(xTruncate, (sqlite3_file * p, sqlite3_int64 n), n)
PASS(xFileSize, (sqlite3_file * p, sqlite3_int64 *n), n)
PASS(xLock, (sqlite3_file * p, int l), l)
PASS(xUnlock, (sqlite3_file * p, int l), l)
PASS(xCheckReservedLock, (sqlite3_file * p, int *l), l)
PASS(xFileControl, (sqlite3_file * p, int op, void *arg), op, arg)
PASS(xShmMap, (sqlite3_file * p, int r, int n, int extend, void volatile **to), r, n, extend, to)
PASS(xShmLock, (sqlite3_file * p, int at, int n, int flags), at, n, flags)
PASS(xShmUnmap, (sqlite3_file * p, int del), del)

static int pass_xClose(sqlite3_file *p)
{
	return system_of(p)->pMethods->xClose(system_of(p));
}

static int pass_xSectorSize(sqlite3_file *p)
{
	return system_of(p)->pMethods->xSectorSize(system_of(p));
}

static int pass_xDeviceCharacteristics(sqlite3_file *p)
{
	return system_of(p)->pMethods->xDeviceCharacteristics(system_of(p));
}

static void pass_xShmBarrier(sqlite3_file *p)
{
	system_of(p)->pMethods->xShmBarrier(system_of(p));
}

static int open_counted(sqlite3_vfs *unused, const char *name, sqlite3_file *p, int flags, int *ret)
{
	int rc = lite_under.system->xOpen(lite_under.system, name, system_of(p), flags, ret);

	(void)unused;
	((struct watched *)(void *)p)->flags = flags;
	p->pMethods = rc == SQLITE_OK ? &lite_under.methods : NULL;
	return rc;
}

void lite_under_begin(void)
{
	lite_under.system = sqlite3_vfs_find(NULL);
	lite_under.counting = *lite_under.system;
	lite_under.counting.zName = "counting";
	lite_under.counting.pNext = NULL;
	lite_under.counting.szOsFile += (int)sizeof(struct watched);
	lite_under.counting.xOpen = open_counted;
	lite_under.methods = (sqlite3_io_methods){2, pass_xClose, count_read, count_write, pass_xTruncate,
		count_sync, pass_xFileSize, pass_xLock, pass_xUnlock, pass_xCheckReservedLock,
		pass_xFileControl, pass_xSectorSize, pass_xDeviceCharacteristics, pass_xShmMap, pass_xShmLock,
		pass_xShmBarrier, pass_xShmUnmap, NULL, NULL};
	assert_int_equal(sqlite3_vfs_register(&lite_under.counting, 1), SQLITE_OK);
}

void lite_under_refuse(int rc, int files, unsigned granted, unsigned refusals)
{
	lite_under.refuses = rc;
	lite_under.refused_files = files;
	lite_under.granted = granted;
	lite_under.refusals = refusals;
	lite_under.was_refused = 0;
}

void lite_under_allow(void)
{
	lite_under.refuses = 0;
}

int lite_under_place(void **state)
{
	static struct lite_place p;

	snprintf(p.dir, sizeof p.dir, "%s/vfs.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(p.dir))
		return -1;
	snprintf(p.file, sizeof p.file, "%s/a.db", p.dir);
	*state = &p;
	return 0;
}

int lite_under_no_place(void **state)
{
	struct lite_place *p = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
	return system(command);
}
