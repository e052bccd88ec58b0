/* wait - until a node is proven equal by a proof made after the question. */
#ifndef CENTRAL_TOOL_WAIT_H
#define CENTRAL_TOOL_WAIT_H

#include "central/tool/tool.h"

/* One node that is waited for; zeroed, but for `counts`. */
struct awaited {
	char name[64];
	char which[48]; /* " (3 of 10) ", or a blank */
	bool counts;    /* the proof must sum the rows themselves */
	uint64_t begun; /* polls when we began: only a proof of a later one counts */
	char state[24], reason[400];
	uint64_t left, most; /* records that wait, now and at the worst */
	bool done, differs;
	uint64_t records, quarantined, rejected; /* as the centre counts them */
	uint64_t damaged;                        /* at the node, as it told when it last summed its rows */
	char damaged_first[72];
};

/*
 * Remembers how many polls there were and asks for `verb` ("/pull") now.  EXIT_REFUSED of a paused node, which would do
 * nothing; with NULL it is only waited for, and that somebody resumes it.
 */
int wait_begin(struct tool *t, struct awaited *w, const char *name, const char *verb);
/* Until this node is proven equal anew, differs, or the tool's time is up: EXIT_OK, EXIT_DIFFERS, EXIT_TIMEOUT, … */
int wait_until_equal(struct tool *t, struct awaited *w);

#endif
