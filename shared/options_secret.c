/* Files of secrets, and of certificates. */
#include "shared/options_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX_BYTES (1024 * 1024) /* the system's bundle of authorities has a quarter of that */
#define SECRET_MAX_BYTES 4096

static enum err read_small(int fd, const char *path, size_t most, struct buf *ret, struct reason *why)
{
	char *block = malloc(most + 1);
	size_t len = 0;
	enum err e = OK;
	if (!block)
		return fail(RETRY, why, "out of memory");
	while (len <= most) {
		ssize_t n = read(fd, block + len, most + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			e = fail(DENIED, why, "%s: %s", path, strerror(errno));
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf_add(ret, block, len); /* at once: a buffer that grows leaves copies behind */
	explicit_bzero(block, len);
	free(block);
	if (e == OK && buf_failed(ret))
		return fail(RETRY, why, "out of memory");
	if (e == OK && len > most)
		return fail(INVALID, why, "%s: larger than %zu bytes", path, most);
	return e;
}

/* Root may let a group read it: so systemd hands over credentials (an access list shows as the group's right), and so does who
 * gives a file to a service's user. */
static enum err check_mode(const char *path, const struct stat *st, struct reason *why)
{
	if (st->st_mode & S_IROTH)
		return fail(INVALID, why, "%s: readable by everybody; run: chmod go-rwx %s", path, path);
	if (st->st_mode & (S_IWGRP | S_IRWXO))
		return fail(INVALID, why, "%s: others than its owner may change it; run: chmod go-rwx %s",
			path, path);
	if ((st->st_mode & S_IRGRP) && st->st_uid != 0)
		return fail(INVALID, why, "%s: readable by its group; run: chmod go-rwx %s", path, path);
	return OK;
}

/* Takes a carriage return before each line end away. */
static void drop_returns(struct buf *text)
{
	size_t kept = 0;
	for (size_t i = 0; i < text->len; i++)
		if (text->at[i] != '\r' || (i + 1 < text->len && text->at[i + 1] != '\n'))
			text->at[kept++] = text->at[i];
	explicit_bzero(text->at + kept, text->len - kept);
	text->len = kept;
	text->at[kept] = '\0';
}

/* Each travels in a header's one line. */
static enum err check_words(const char *path, const struct buf *text, struct reason *why)
{
	size_t lines = 1, word = 0, shortest = SIZE_MAX;
	bool good = true;
	for (size_t i = 0; i <= text->len; i++) {
		bool ends = i == text->len || text->at[i] == '\n';
		good = good && (ends ? word > 0 : text->at[i] > ' ' && text->at[i] <= '~');
		lines += ends && i < text->len;
		shortest = ends && word < shortest ? word : shortest;
		word = ends ? 0 : word + 1;
	}
	if (!good || lines > SECRETS_MAX)
		return fail(INVALID, why,
			"%s: neither one word of visible ASCII characters nor two, one a line: the new one "
			"and the one before it",
			path);
	return shortest >= OPTION_SECRET_MIN
		       ? OK
		       : fail(INVALID, why,
				 "%s: too short, and a secret has %d characters at least; to "
				 "make one: head -c 32 /dev/urandom | base64",
				 path, OPTION_SECRET_MIN);
}

static enum err check_secrets(const char *path, struct buf *text, struct reason *why)
{
	if (text->len > 0)
		drop_returns(text);
	if (text->len > 0 && text->at[text->len - 1] == '\n')
		text->at[--text->len] = '\0';
	if (text->len == 0)
		return fail(INVALID, why,
			"%s: empty, and a secret has %d characters at least; to make one: head -c 32 "
			"/dev/urandom | "
			"base64",
			path, OPTION_SECRET_MIN);
	return check_words(path, text, why);
}

void option_secret_done(struct buf *secret)
{
	if (secret->at)
		explicit_bzero(secret->at, secret->len);
	buf_done(secret);
}

static enum err check_pem(const char *path, struct buf *text, struct reason *why)
{
	if (text->len == 0 || memchr(text->at, '\0', text->len))
		return fail(INVALID, why, "%s: %s", path, text->len == 0 ? "empty" : "no text");
	return OK;
}

/* The whole of a file that passes; else nothing. */
static enum err read_file(const char *path, bool private, size_t most,
	enum err (*check)(const char *, struct buf *, struct reason *), struct buf *ret, struct reason *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(errno == ENOENT ? GONE : DENIED, why, "%s: %s", path, strerror(errno));
	enum err e = OK;
	struct buf text = {0};
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
		e = fail(INVALID, why, "%s: not a file", path);
	if (e == OK && private)
		e = check_mode(path, &st, why);
	if (e == OK)
		e = read_small(fd, path, most, &text, why);
	if (e == OK)
		e = check(path, &text, why);
	if (e == OK) {
		option_secret_done(ret);
		*ret = text;
	} else {
		option_secret_done(&text);
	}
	close(fd);
	return e;
}

enum err option_read_secrets(const char *path, struct buf *ret, struct reason *why)
{
	return read_file(path, true, SECRET_MAX_BYTES, check_secrets, ret, why);
}

enum err option_read_pem(const char *path, bool secret, struct buf *ret, struct reason *why)
{
	return read_file(path, secret, PEM_MAX_BYTES, check_pem, ret, why);
}

enum err option_read_secret(const char *path, struct buf *ret, struct reason *why)
{
	enum err e = option_read_secrets(path, ret, why);
	char *end = e == OK ? strchr(ret->at, '\n') : NULL;
	if (end) {
		explicit_bzero(end, ret->len - (size_t)(end - ret->at));
		ret->len = (size_t)(end - ret->at);
	}
	return e;
}
