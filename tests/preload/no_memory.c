/*
 * no_memory - loaded before a real program (LD_PRELOAD): its k-th allocation fails, in whatever library that is.
 *
 * The file that TIDEMARK_NO_MEMORY names holds three numbers of four bytes, which whoever started the program maps
 * too: which allocation is to fail, from 1 (0: none); how many there were since that was set; whether all later ones
 * fail as well.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *at, size_t n);

static struct {
	_Atomic uint32_t at, calls, ever;
} * control;

/* Where it fell, into its log. */
static void tell_fall(int signal)
{
	void *frames[40];

	backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
	raise(signal);
}

__attribute__((constructor)) static void init(void)
{
	const char *path = getenv("TIDEMARK_NO_MEMORY");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at =
		fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		abort();
	close(fd);
	struct sigaction fall = {.sa_handler = tell_fall, .sa_flags = (int)SA_RESETHAND};
	void *frame;
	(void)backtrace(&frame, 1); /* loads what it needs */
	sigaction(SIGSEGV, &fall, NULL);
	sigaction(SIGABRT, &fall, NULL);
	control = at;
}

static bool strikes(void)
{
	if (!control || atomic_load(&control->at) == 0)
		return false;
	uint32_t call = atomic_fetch_add(&control->calls, 1) + 1, at = atomic_load(&control->at);
	bool fails = call == at || (call > at && atomic_load(&control->ever));

	if (fails)
		errno = ENOMEM;
	return fails;
}

void *malloc(size_t n)
{
	return strikes() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return strikes() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *at, size_t n)
{
	return strikes() ? NULL : __libc_realloc(at, n);
}
