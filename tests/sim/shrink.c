#include "tests/sim/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/campaign.h"

#define SAME_MAX 160

/*
 * A failure's name: the last "seed N, step K: words" of what a world says, without its numbers and the names of its
 * versions.  "" when it held.
 */
static void name_failure(FILE *said, char name[SAME_MAX])
{
	char line[1024];

	name[0] = '\0';
	while (fgets(line, sizeof line, said) != NULL) {
		const char *words = strncmp(line, "seed ", 5) == 0 ? strstr(line, ": ") : NULL;
		size_t n = 0;

		for (; words != NULL && *words != '\0' && n + 1 < SAME_MAX; words++)
			if (strchr("0123456789#", *words) == NULL)
				name[n++] = *words;
		if (words != NULL)
			name[n] = '\0';
		if (words != NULL && strstr(name, "n/") != NULL)
			*strstr(name, "n/") = '\0'; /* a record's name */
	}
}

/* In a process of its own, since a failure ends it. */
static void try(const struct wish *w, enum mode mode, uint64_t seed, char name[SAME_MAX])
{
	FILE *said = tmpfile();
	int status = 0;
	pid_t child;

	if (said == NULL || fflush(stdout) != 0 || (child = fork()) < 0) {
		perror("sim: shrink");
		exit(1);
	}
	if (child == 0) {
		dup2(fileno(said), 2);
		(void)campaign_compare(w, mode, seed, NULL);
		exit(0);
	}
	waitpid(child, &status, 0);
	rewind(said);
	name_failure(said, name);
	fclose(said);
}

/* Leaves out the steps from..to that are still in; takes them back in where the failure is another then. */
static bool leave_out(
	struct wish *w, enum mode mode, uint64_t seed, unsigned from, unsigned to, const char *same)
{
	struct wish less = *w;
	char name[SAME_MAX];

	choice_put(&less.left_out, from, to, true);
	if (choice_count(&less.left_out, w->steps) == choice_count(&w->left_out, w->steps))
		return false;
	try(&less, mode, seed, name);
	if (strcmp(name, same) != 0)
		return false;
	*w = less;
	return true;
}

void shrink(struct wish *w, enum mode mode, uint64_t seed)
{
	char same[SAME_MAX];
	unsigned size = w->steps;
	bool any;

	w->jobs = 1;
	w->trace = false;
	try(w, mode, seed, same);
	if (same[0] == '\0')
		return;
	do {
		any = false;
		for (unsigned from = 1; from <= w->steps; from += size)
			any |= leave_out(w, mode, seed, from, from + size - 1, same);
		if (size > 1)
			size /= 2;
		else if (!any)
			size = 0;
	} while (size > 0);
	fprintf(stderr, "%u of %u steps are needed\n", w->steps - choice_count(&w->left_out, w->steps),
		w->steps);
}
