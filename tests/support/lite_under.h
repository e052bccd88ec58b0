/*
 * What lies under shared/lite_vfs.c: the system's own way to files, which counts what it is asked for, and refuses writes when it is told to.
 * A place in memory for the files, too.
 */
#ifndef TESTS_SUPPORT_LITE_UNDER_H
#define TESTS_SUPPORT_LITE_UNDER_H

#include <sqlite3.h>
#include <stddef.h>

struct lite_place {
	char dir[64], file[96];
};

struct lite_under {
	sqlite3_vfs *system, counting;
	sqlite3_io_methods methods;
	unsigned reads, writes, log_writes, syncs,
		unsynced; /* of databases and their logs; written since the last flush */
	size_t log_written;
	int refuses;          /* what a write is told instead: */
	int refused_files;    /* of files that were opened with one of these flags, */
	unsigned granted;     /* after so many that are done, */
	unsigned refusals;    /* and no more than so many are refused; */
	unsigned was_refused; /* so many were */
};

extern struct lite_under lite_under;

void lite_under_begin(
	void); /* before the first database is opened, which asks for what is the system's own */
/* Writes of files with these flags are refused from the one after `granted` on, so many times. */
void lite_under_refuse(int rc, int files, unsigned granted, unsigned refusals);
void lite_under_allow(void);

int lite_under_place(void **state); /* cmocka's: a struct lite_place */
int lite_under_no_place(void **state);

#endif
