#include "shared/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (128 * 1024)
#define IDLE_AFTER_MS 200

enum err input_open(struct input *in, const char *path, struct reason *why)
{
	struct stat st;
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	*in = (struct input){.name = standard ? "standard input" : path,
		.fd = fd,
		.line = 1,
		.size = -1,
		.chunk = CHUNK_BYTES};
	if (fd < 0)
		return fail(errno == ENOENT ? GONE : DENIED, why, "%s", strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		input_close(in);
		return fail(INVALID, why, "a directory, where a file was expected");
	}
	if (S_ISREG(st.st_mode))
		in->size = st.st_size;
	return OK;
}

void input_close(struct input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
	buf_done(&in->window);
	in->at = 0;
}

struct span input_rest(const struct input *in)
{
	return in->window.at ? (struct span){in->window.at + in->at, in->window.len - in->at}
			     : (struct span){"", 0};
}

static void forget_taken(struct input *in)
{
	size_t rest = in->window.len - in->at;

	if (in->at == 0)
		return;
	memmove(in->window.at, in->window.at + in->at, rest);
	in->window.len = rest;
	in->at = 0;
}

/* Lets the owner use the time while the other end of a pipe has nothing to say. */
static void await(struct input *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};

	if (in->idle && in->size < 0 && poll(&p, 1, IDLE_AFTER_MS) == 0)
		in->idle(in->ctx);
}

enum err input_more(struct input *in, struct reason *why)
{
	char chunk[CHUNK_BYTES];
	ssize_t n;

	if (in->ended)
		return OK;
	if (in->window.len - in->at >= INPUT_WINDOW_MAX)
		return fail(INVALID, why,
			"more than %d bytes in one piece: is a quote or bracket not closed?",
			INPUT_WINDOW_MAX);
	forget_taken(in);
	await(in);
	do
		n = read(in->fd, chunk, in->chunk < sizeof chunk ? in->chunk : sizeof chunk);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(INTERNAL, why, "cannot be read: %s", strerror(errno));
	in->ended = n == 0;
	buf_add(&in->window, chunk, (size_t)n);
	return buf_failed(&in->window) ? fail(RETRY, why, "out of memory") : OK;
}

void input_take(struct input *in, size_t bytes)
{
	const char *at = input_rest(in).at, *end = at + bytes;

	assert(bytes <= in->window.len - in->at);
	in->at += bytes;
	in->taken += bytes;
	for (; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		in->line++;
}
