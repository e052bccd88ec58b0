/*
 * paper - a text as a file that can be opened by a path, without a place on the disk.
 */
#ifndef TESTS_SUPPORT_PAPER_H
#define TESTS_SUPPORT_PAPER_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/buf.h"

struct paper {
	int fd;
	char path[40];
};

static inline struct paper paper_of(struct span text)
{
	struct paper p = {.fd = memfd_create("paper", MFD_CLOEXEC)};

	if (p.fd < 0 || write(p.fd, text.at, text.len) != (ssize_t)text.len)
		abort();
	snprintf(p.path, sizeof p.path, "/proc/self/fd/%d", p.fd);
	return p;
}

static inline void paper_done(struct paper *p)
{
	close(p->fd);
}

#endif
