#include "tests/support/fault.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

const char *const fault_names[FAULT_KINDS] = {"none", "io", "short", "full", "memory"};

static struct {
	enum fault_kind kind;
	unsigned at, calls;
	bool ever, hit;
} fault;

void fault_arm(enum fault_kind kind, unsigned k, bool ever)
{
	fault.kind = kind;
	fault.at = k;
	fault.ever = ever;
	fault.calls = 0;
	fault.hit = false;
}

unsigned fault_heal(void)
{
	fault.kind = FAULT_NONE;
	return fault.calls;
}

bool fault_hit(void)
{
	return fault.hit;
}

bool fault_strikes(enum fault_kind kind)
{
	if (fault.kind == FAULT_NONE || fault.kind != kind)
		return false;
	fault.calls++;
	if (fault.calls < fault.at || (fault.calls > fault.at && !fault.ever))
		return false;
	fault.hit = true;
	return true;
}

/* --- files --- */

static sqlite3_vfs *system_vfs;

struct file {
	sqlite3_file base;
	sqlite3_file *under; /* behind it, in the same block */
};

static sqlite3_file *under(sqlite3_file *f)
{
	return ((struct file *)f)->under;
}

#define IO_FAILS(code)                       \
	do {                                 \
		if (fault_strikes(FAULT_IO)) \
			return code;         \
	} while (0)

static int file_close(sqlite3_file *f)
{
	return under(f)->pMethods->xClose(under(f));
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	IO_FAILS(SQLITE_IOERR_READ);
	return under(f)->pMethods->xRead(under(f), to, n, at);
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	bool half = fault_strikes(FAULT_SHORT), full = fault_strikes(FAULT_FULL);

	IO_FAILS(SQLITE_IOERR_WRITE);
	if (!half && !full)
		return under(f)->pMethods->xWrite(under(f), from, n, at);
	if (n > 1)
		(void)under(f)->pMethods->xWrite(under(f), from, n / 2, at);
	return full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	IO_FAILS(SQLITE_IOERR_TRUNCATE);
	return under(f)->pMethods->xTruncate(under(f), size);
}

static int file_sync(sqlite3_file *f, int flags)
{
	IO_FAILS(SQLITE_IOERR_FSYNC);
	return under(f)->pMethods->xSync(under(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	IO_FAILS(SQLITE_IOERR_FSTAT);
	return under(f)->pMethods->xFileSize(under(f), ret);
}

static int file_lock(sqlite3_file *f, int how)
{
	return under(f)->pMethods->xLock(under(f), how);
}

static int file_unlock(sqlite3_file *f, int how)
{
	return under(f)->pMethods->xUnlock(under(f), how);
}

static int file_reserved(sqlite3_file *f, int *ret)
{
	return under(f)->pMethods->xCheckReservedLock(under(f), ret);
}

static int file_control(sqlite3_file *f, int what, void *arg)
{
	return under(f)->pMethods->xFileControl(under(f), what, arg);
}

static int file_sector(sqlite3_file *f)
{
	return under(f)->pMethods->xSectorSize(under(f));
}

static int file_traits(sqlite3_file *f)
{
	return under(f)->pMethods->xDeviceCharacteristics(under(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	IO_FAILS(SQLITE_IOERR_SHMMAP);
	if (extend && fault_strikes(FAULT_FULL))
		return SQLITE_IOERR_SHMSIZE;
	return under(f)->pMethods->xShmMap(under(f), page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return under(f)->pMethods->xShmLock(under(f), at, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
	under(f)->pMethods->xShmBarrier(under(f));
}

static int file_shm_unmap(sqlite3_file *f, int remove)
{
	return under(f)->pMethods->xShmUnmap(under(f), remove);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *ret, int flags, int *ret_flags)
{
	struct file *f = (struct file *)ret;

	(void)v;
	memset(f, 0, sizeof(*f));
	IO_FAILS(SQLITE_CANTOPEN);
	f->under = (sqlite3_file *)(void *)(f + 1);
	int rc = system_vfs->xOpen(system_vfs, name, f->under, flags, ret_flags);
	if (rc == SQLITE_OK)
		f->base.pMethods = &file_methods;
	return rc;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync)
{
	(void)v;
	IO_FAILS(SQLITE_IOERR_DELETE);
	return system_vfs->xDelete(system_vfs, name, sync);
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
	(void)v;
	IO_FAILS(SQLITE_IOERR_ACCESS);
	return system_vfs->xAccess(system_vfs, name, flags, ret);
}

static void install_files(void)
{
	static sqlite3_vfs ours;

	system_vfs = sqlite3_vfs_find(NULL);
	assert(system_vfs);
	ours = *system_vfs;
	ours.zName = "faulty";
	ours.pNext = NULL;
	ours.szOsFile = (int)sizeof(struct file) + system_vfs->szOsFile;
	ours.xOpen = vfs_open;
	ours.xDelete = vfs_delete;
	ours.xAccess = vfs_access;
	int rc = sqlite3_vfs_register(&ours, 1);
	assert(rc == SQLITE_OK);
}

/* --- memory --- */

static sqlite3_mem_methods system_memory;

static void *lite_malloc(int n)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : system_memory.xMalloc(n);
}

static void *lite_realloc(void *at, int n)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : system_memory.xRealloc(at, n);
}

static void *json_malloc(size_t n)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : malloc(n);
}

static void install_memory(void)
{
	int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory);
	sqlite3_mem_methods ours = system_memory;

	assert(rc == SQLITE_OK);
	ours.xMalloc = lite_malloc;
	ours.xRealloc = lite_realloc;
	rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
	assert(rc == SQLITE_OK);
	cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = json_malloc, .free_fn = free});
}

void fault_install(void)
{
	install_memory();
	install_files();
}
