/*
 * resident - the most memory that this process has had.
 */
#ifndef TESTS_SUPPORT_RESIDENT_H
#define TESTS_SUPPORT_RESIDENT_H

#include <stdio.h>
#include <stdlib.h>

static inline long resident_peak_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	if (!f)
		abort();
	while (fgets(line, sizeof line, f))
		(void)sscanf(line, "VmHWM: %ld", &kib);
	fclose(f);
	return kib;
}

#endif
