/*
 * The k-th call to a file or for memory fails, for k = 1, 2, … until there are fewer: once, and for ever after, in a whole
 * history of a centre and its local: opening, writes, pulls, edits at the centre, pushes, a wiped local that is
 * refilled.  Whatever happened: once the fault is over, the same processes go on or new ones do, both ends are proven equal by
 * their rows, nothing that was acknowledged is lost, and the log's chain holds.
 *
 * Each k has a process of its own, which may also end itself where that is the policy (no memory for something small): then
 * with words.  "test_torture memory 26040 [ever]" does one of them in one process.  TIDEMARK_FAULTS says how many k of each sweep are tried, spread over all there are; 0: all.
 */
#include "shared/stop.h"
#include "tests/support/fault.h"
#include "tests/support/pair.h"

#include <assert.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void *__wrap_malloc(size_t n);
void *__real_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t n);
void *__real_realloc(void *at, size_t n);
char *__wrap_strdup(const char *text);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t n)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t n)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : __real_realloc(at, n);
}

char *__wrap_strdup(const char *text)
{
	return fault_strikes(FAULT_MEMORY) ? NULL : __real_strdup(text);
}

/* --- what was promised: shared with the process that tries it --- */

#define IDS 8
struct promise {
	char id[8];
	unsigned acknowledged; /* the value that was last; 0: never */
	unsigned tried;        /* the newest, acknowledged or not */
};
static struct ledger {
	struct promise ids[IDS];
	unsigned n, value;
	unsigned calls;     /* that the fault concerned */
	bool hit;           /* it came about */
	bool armed;         /* the history is running */
	char failure[1024]; /* what did not hold; "" = all held */
} * ledger;

static char work[64];

/* When it may fail: from the opening on; while both ends run; just in three edits. */
static enum { ALL, RUNNING, EDITS } during;
static const char *const during_names[] = {"", ", running", ", editing"};

static struct promise *promise_of(const char *id)
{
	for (unsigned i = 0; i < ledger->n; i++)
		if (strcmp(ledger->ids[i].id, id) == 0)
			return &ledger->ids[i];
	snprintf(ledger->ids[ledger->n].id, sizeof(ledger->ids[0].id), "%s", id);
	return &ledger->ids[ledger->n++];
}

typedef bool write_fn(struct pair *p, const char *id, unsigned value);

/* Each id is written at one end only. */
static void edit(struct pair *p, write_fn *write, const char *id)
{
	struct promise *m = promise_of(id);

	m->tried = ++ledger->value;
	if (write(p, id, m->tried))
		m->acknowledged = m->tried;
}

#define HOLDS(what, ...)                                                                 \
	do {                                                                             \
		if (!(what)) {                                                           \
			snprintf(ledger->failure, sizeof(ledger->failure), __VA_ARGS__); \
			return false;                                                    \
		}                                                                        \
	} while (0)

/* --- the history --- */

/* A local that takes its database for broken ends; nothing here breaks one. */
static bool local_runs(struct pair *p)
{
	HOLDS(!p->replica || !p->local.broken, "the local thinks that its database is broken");
	return p->replica || pair_open_local(p) == OK;
}

static bool centre_runs(struct pair *p)
{
	return p->store || pair_open_centre(p) == OK;
}

static void exchanges(struct pair *p, unsigned n)
{
	for (unsigned i = 0; i < n && centre_runs(p); i++)
		pair_exchange(p);
}

/* As an operator does who knows that all of it is at the centre. */
static void wipe(struct pair *p)
{
	bool even = pair_is_even(p);

	pair_close_local(p);
	if (even)
		pair_wipe(p);
}

static void edit_both(struct pair *p)
{
	edit(p, pair_write_local, "a1");
	edit(p, pair_write_centre, "c1");
	edit(p, pair_write_centre, "c2");
}

static void history(struct pair *p)
{
	for (int i = 0; i < 2 && !local_runs(p); i++) {
	}
	for (int i = 0; i < 2 && !centre_runs(p); i++) {
	}
	edit(p, pair_write_local, "a1");
	edit(p, pair_write_local, "a2");
	edit(p, pair_write_local, "c1");
	exchanges(p, 4);
	edit_both(p);
	exchanges(p, 6);
	if (during != RUNNING)
		wipe(p);
	if (local_runs(p))
		edit(p, pair_write_local, "a3");
	exchanges(p, 8);
	edit(p, pair_write_local, "a2");
	exchanges(p, 2);
	(void)local_runs(p);
}

/* --- what must hold --- */

/* The body of each id at the local, as a number. */
static unsigned value_of(struct pair *p, const char *id)
{
	struct arena a = {0};
	struct record r;
	unsigned n = 0;

	if (replica_get(p->replica, span_of(id), &r, &a, &p->why) == OK) {
		char text[16];

		snprintf(text, sizeof(text), "%.*s", (int)r.body.len, r.body.at);
		n = (unsigned)strtoul(text, NULL, 10);
	}
	arena_done(&a);
	return n;
}

static bool promises_are_kept(struct pair *p)
{
	for (unsigned i = 0; i < ledger->n; i++) {
		const struct promise *m = &ledger->ids[i];
		unsigned n = value_of(p, m->id);

		HOLDS(n >= m->acknowledged && n <= m->tried, "%s is %u, acknowledged was %u, tried %u", m->id,
			n, m->acknowledged, m->tried);
	}
	return true;
}

/* Of a stopped local: each row whose predecessor's head is known is chained to it. */
static bool chain_holds(struct pair *p)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	bool holds = true;
	unsigned links = 0;

	assert(sqlite3_open_v2(p->db, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	assert(sqlite3_prepare_v2(db,
		       "WITH heads AS (SELECT seq, head FROM records UNION ALL SELECT seq, head FROM "
		       "positions) "
		       "SELECT r.seq, r.id, r.h0, r.h1, r.head, coalesce(h.head, zeroblob(16)) FROM records "
		       "r "
		       "LEFT JOIN heads h ON h.seq = r.seq - 1 WHERE h.seq NOTNULL OR r.seq = 1",
		       -1, &q, NULL) == SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct hash own = {
			{(uint64_t)sqlite3_column_int64(q, 2), (uint64_t)sqlite3_column_int64(q, 3)}};
		struct hash head = record_chain(hash_from_bytes(sqlite3_column_blob(q, 5)),
			(uint64_t)sqlite3_column_int64(q, 0),
			span_of((const char *)sqlite3_column_text(q, 1)), own);

		holds = holds && hash_equal(head, hash_from_bytes(sqlite3_column_blob(q, 4)));
		links++;
	}
	sqlite3_finalize(q);
	sqlite3_close(db);
	HOLDS(holds && links > 0, "the log's chain is broken");
	return true;
}

/* Nothing fails any more: both ends must come to equality by themselves. */
static bool all_is_well(struct pair *p)
{
	HOLDS(local_runs(p), "the local does not open: %s", p->why.text);
	HOLDS(centre_runs(p), "the centre does not open: %s", p->why.text);
	edit(p, pair_write_local, "z");
	HOLDS(promise_of("z")->acknowledged == ledger->value, "the local does not write");
	edit(p, pair_write_centre, "c2");
	HOLDS(promise_of("c2")->acknowledged == ledger->value, "the centre does not write: %s", p->why.text);
	HOLDS(pair_settle(p, 60), "they are not proven equal: %s; %s",
		node_trouble(&p->run)->last_reason.text, p->why.text);
	return promises_are_kept(p);
}

static bool well_again(struct pair *p)
{
	bool well = all_is_well(p);

	pair_close_centre(p);
	pair_close_local(p);
	return well && chain_holds(p);
}

/* --- one k --- */

static void start_over(void)
{
	DIR *d = opendir(work);

	assert(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			assert(unlinkat(dirfd(d), e->d_name, 0) == 0);
	closedir(d);
	memset(ledger, 0, sizeof(*ledger));
}

/* In a process of its own.  Odd k: it goes on afterwards; even k: it ends as it stands. */
static void try(enum fault_kind kind, unsigned k, bool ever)
{
	struct pair p;

	pair_init(&p, work);
	if (during != ALL)
		assert(local_runs(&p) && centre_runs(&p));
	if (during == EDITS)
		history(&p);
	fault_arm(kind, k, ever);
	ledger->armed = true;
	if (during == EDITS)
		edit_both(&p);
	else
		history(&p);
	ledger->calls = fault_heal();
	ledger->hit = fault_hit();
	ledger->armed = false;
	if (k % 2 == 1 || kind == FAULT_NONE) {
		(void)well_again(&p);
	} else {
		pair_close_centre(&p);
		pair_close_local(&p);
	}
}

/* Runs it apart; its standard error goes to `said`.  Returns its wait status. */
static int run_apart(enum fault_kind kind, unsigned k, bool ever, char said[static 4096])
{
	char path[96];
	int status;

	snprintf(path, sizeof(path), "%s.said", work);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		assert(freopen(path, "w", stderr));
		signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the next test */
		alarm(60);                /* a hang */
		try(kind, k, ever);
		fflush(NULL);
		exit(0);
	}
	assert(child > 0 && waitpid(child, &status, 0) == child);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(said, 1, 4095, f) : 0;
	said[n] = '\0';
	if (f)
		fclose(f);
	return status;
}

/* It may give up for want of memory, in so many words; nothing else may end it. */
static bool ended_well(enum fault_kind kind, int status, const char *said)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	return kind == FAULT_MEMORY && ledger->armed && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
	       strstr(said, "out of memory");
}

/* True: the fault came about, so there may be a further k. */
static bool hold_out(enum fault_kind kind, unsigned k, bool ever, unsigned *aborts)
{
	struct pair p;
	char said[4096];

	start_over();
	int status = run_apart(kind, k, ever, said);
	bool hit = ledger->hit || ledger->armed;
	if (!ended_well(kind, status, said) || ledger->failure[0])
		fail_msg("%s, k = %u%s: status %x, %s: %s", fault_names[kind], k,
			ever ? " and ever after" : "", (unsigned)status, ledger->failure, said);
	*aborts += ledger->armed;
	pair_init(&p, work);
	if (!well_again(&p))
		fail_msg("%s, k = %u%s, then started again: %s", fault_names[kind], k,
			ever ? " and ever after" : "", ledger->failure);
	return hit;
}

static unsigned wanted(void)
{
	const char *n = getenv("TIDEMARK_FAULTS"), *preload = getenv("LD_PRELOAD");
	unsigned many = n ? (unsigned)strtoul(n, NULL, 10) : 40;

	if (preload && strstr(preload, "vgpreload"))
		return 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* each takes five times as long */
	return n && (many == 0 || many > 60) ? 60 : n ? many : 6;
#else
	return during == EDITS && !n ? 0 : many;
#endif
}

/* Some k of all, the same ones each time, or all. */
static void sweep(enum fault_kind kind, bool ever)
{
	unsigned aborts = 0, n = wanted(), tried = 0;
	char said[4096];

	start_over();
	assert_int_equal(run_apart(kind, 0, false, said), 0);
	unsigned calls = ledger->calls;
	assert_true(calls > 20 && !ledger->hit);
	unsigned step = n == 0 || n >= calls ? 1 : calls / n;
	for (unsigned k = 1 + (step > 1 ? calls % step : 0); k <= calls;
		k += step + (step > 1 && tried % 2), tried++)
		if (!hold_out(kind, k, ever, &aborts) && step == 1)
			break;
	assert_false(hold_out(kind, calls * 2, ever, &aborts));
	print_message("%s%s%s: %u of %u calls, the process gave up %u times\n", fault_names[kind],
		during_names[during], ever ? " and ever after" : "", tried, calls, aborts);
}

#define SWEEP_DURING(name, when, kind, ever) \
	static void name(void **state)       \
	{                                    \
		(void)state;                 \
		during = when;               \
		sweep(kind, ever);           \
		during = ALL;                \
	}
#define SWEEP(name, kind, ever) SWEEP_DURING(name, ALL, kind, ever)
SWEEP(a_file_that_fails_once, FAULT_IO, false)
SWEEP(files_that_fail_from_then_on, FAULT_IO, true)
SWEEP(a_write_that_ends_halfway, FAULT_SHORT, false)
SWEEP(writes_that_end_halfway_from_then_on, FAULT_SHORT, true)
SWEEP(a_write_without_room, FAULT_FULL, false)
SWEEP(no_room_from_then_on, FAULT_FULL, true)
SWEEP(memory_that_is_not_there_once, FAULT_MEMORY, false)
SWEEP(no_memory_from_then_on, FAULT_MEMORY, true)
SWEEP_DURING(memory_that_is_not_there_once_while_they_run, RUNNING, FAULT_MEMORY, false)
SWEEP_DURING(no_memory_from_then_on_while_they_run, RUNNING, FAULT_MEMORY, true)
SWEEP_DURING(memory_that_is_not_there_once_in_an_edit, EDITS, FAULT_MEMORY, false)
SWEEP_DURING(no_memory_from_then_on_in_an_edit, EDITS, FAULT_MEMORY, true)

static void without_a_fault_the_history_is_whole(void **state)
{
	unsigned aborts = 0;

	(void)state;
	assert_false(hold_out(FAULT_NONE, 1, false, &aborts));
	for (unsigned i = 0; i < ledger->n; i++)
		assert_int_equal(ledger->ids[i].acknowledged, ledger->ids[i].tried);
	assert_int_equal(ledger->n, 6);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(
		work, sizeof(work), "%s/torture.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(work))
		return -1;
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fault_install();
	stop_init(); /* a broken database asks for an end */
	return ledger == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s' '%s.said'", work, work);
	return system(command);
}

/* test_torture KIND K [ever] [running|edits]: that one, in this process, for a debugger. */
static int alone(int argc, char **argv)
{
	unsigned kind = 0;

	while (kind < FAULT_KINDS && strcmp(fault_names[kind], argv[1]) != 0)
		kind++;
	assert(kind < FAULT_KINDS && set_up(NULL) == 0);
	bool ever = argc > 3 && strcmp(argv[3], "ever") == 0;
	const char *when = argv[argc - 1];

	during = strcmp(when, "running") == 0 ? RUNNING : strcmp(when, "edits") == 0 ? EDITS : ALL;
	try((enum fault_kind)kind, (unsigned)strtoul(argv[2], NULL, 10), ever);
	printf("%u calls; %s\n", ledger->calls, ledger->failure[0] ? ledger->failure : "all holds");
	return tear_down(NULL);
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return alone(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_fault_the_history_is_whole),
		cmocka_unit_test(a_file_that_fails_once),
		cmocka_unit_test(files_that_fail_from_then_on),
		cmocka_unit_test(a_write_that_ends_halfway),
		cmocka_unit_test(writes_that_end_halfway_from_then_on),
		cmocka_unit_test(a_write_without_room),
		cmocka_unit_test(no_room_from_then_on),
		cmocka_unit_test(memory_that_is_not_there_once),
		cmocka_unit_test(no_memory_from_then_on),
		cmocka_unit_test(memory_that_is_not_there_once_while_they_run),
		cmocka_unit_test(no_memory_from_then_on_while_they_run),
		cmocka_unit_test(memory_that_is_not_there_once_in_an_edit),
		cmocka_unit_test(no_memory_from_then_on_in_an_edit),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
