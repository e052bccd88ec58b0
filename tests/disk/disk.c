/*
 * disk - a disk that loses what was not flushed, when its power is cut.
 *
 *   disk DIRECTORY MIB SEED
 *
 * Serves the file DIRECTORY/0 (FUSE; root only), to be the image of a file system behind a loop device.  Every sector
 * that was written since the last fsync of the file is kept apart.  On standard input:
 *   cut   the disk stands still, and DIRECTORY/1 is what is left: all that was flushed, and of the rest each sector or not,
 *         by chance, so torn and in any order.  Prints "1 KEPT LOST", the numbers of such sectors.  The next cut makes 2, …
 *   go    the old disk goes on for those who have it open, for nothing.  Kill who wrote to it before.
 * At its end the disk goes.  One thread, so that a cut is between two requests.
 */
#define FUSE_USE_VERSION 35
#include <fuse3/fuse_lowlevel.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SECTOR = 512, PAGE = 4096, IMAGES_MAX = 20000, FIRST_INODE = 2 };

struct image {
	unsigned char *now, *durable; /* now: with what was not flushed; NULL = gone; durable NULL: dead */
	int opened;
};

static struct {
	size_t bytes;
	struct image images[IMAGES_MAX];
	int newest;
	unsigned char *unflushed; /* per sector of the newest */
	size_t *sectors, n;       /* the same, as a list */
	unsigned char *touched;   /* per page: may hold something else than zeros */
	uint64_t chance;
	bool still;
} disk;

static void *memory(size_t bytes)
{
	void *at =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static uint64_t chance(void) /* xorshift */
{
	disk.chance ^= disk.chance << 13;
	disk.chance ^= disk.chance >> 7;
	disk.chance ^= disk.chance << 17;
	return disk.chance;
}

/* --- what is written, and what is flushed --- */

static void note_unflushed(size_t from, size_t to)
{
	for (size_t s = from / SECTOR; s < (to + SECTOR - 1) / SECTOR; s++) {
		if (!disk.unflushed[s])
			disk.sectors[disk.n++] = s;
		disk.unflushed[s] = 1;
		disk.touched[s * SECTOR / PAGE] = 1;
	}
}

static void settle(struct image *i, size_t sector)
{
	memcpy(i->durable + sector * SECTOR, i->now + sector * SECTOR, SECTOR);
	disk.unflushed[sector] = 0;
}

static void flush(struct image *i)
{
	for (size_t k = 0; k < disk.n; k++)
		settle(i, disk.sectors[k]);
	disk.n = 0;
}

/* Of what was not flushed nothing, all, or each sector with one probability. */
static void lose(struct image *i, size_t *ret_kept)
{
	static const unsigned shares[] = {0, 0, 10, 50, 90, 100};
	unsigned share = shares[chance() % (sizeof(shares) / sizeof(shares[0]))];

	*ret_kept = 0;
	for (size_t k = 0; k < disk.n; k++) {
		disk.unflushed[disk.sectors[k]] = 0;
		if (chance() % 100 >= share)
			continue;
		settle(i, disk.sectors[k]);
		++*ret_kept;
	}
}

static void cut(void)
{
	struct image *old = &disk.images[disk.newest], *next = &disk.images[disk.newest + 1];
	size_t kept, all = disk.n;

	if (disk.newest + 1 >= IMAGES_MAX)
		abort();
	lose(old, &kept);
	disk.n = 0;
	next->durable = old->durable;
	next->now = memory(disk.bytes);
	for (size_t p = 0; p < disk.bytes / PAGE; p++)
		if (disk.touched[p])
			memcpy(next->now + p * PAGE, next->durable + p * PAGE, PAGE);
	old->durable = NULL;
	disk.newest++;
	disk.still = true;
	printf("%d %zu %zu\n", disk.newest, kept, all - kept);
}

/* --- the file system around it --- */

static struct image *image_of(fuse_ino_t ino)
{
	if (ino < FIRST_INODE || ino > (fuse_ino_t)(FIRST_INODE + disk.newest))
		return NULL;
	return disk.images[ino - FIRST_INODE].now ? &disk.images[ino - FIRST_INODE] : NULL;
}

static struct stat attributes(fuse_ino_t ino)
{
	struct stat st = {.st_ino = ino, .st_nlink = 1, .st_mode = S_IFDIR | 0700};

	if (ino == FUSE_ROOT_ID)
		return st;
	st.st_mode = S_IFREG | 0600;
	st.st_size = (off_t)disk.bytes;
	st.st_blocks = st.st_size / SECTOR;
	return st;
}

static void look_up(fuse_req_t q, fuse_ino_t parent, const char *name)
{
	char *end;
	fuse_ino_t ino = FIRST_INODE + strtoul(name, &end, 10);
	struct fuse_entry_param e = {.ino = ino};

	if (parent != FUSE_ROOT_ID || *end || !image_of(ino)) {
		fuse_reply_err(q, ENOENT);
		return;
	}
	e.attr = attributes(ino);
	fuse_reply_entry(q, &e);
}

static void get_attributes(fuse_req_t q, fuse_ino_t ino, struct fuse_file_info *f)
{
	struct stat st = attributes(ino);

	(void)f;
	if (ino == FUSE_ROOT_ID || image_of(ino))
		fuse_reply_attr(q, &st, 0);
	else
		fuse_reply_err(q, ENOENT);
}

static void set_attributes(fuse_req_t q, fuse_ino_t ino, struct stat *to, int which, struct fuse_file_info *f)
{
	(void)to;
	(void)which;
	get_attributes(q, ino, f);
}

static void open_image(fuse_req_t q, fuse_ino_t ino, struct fuse_file_info *f)
{
	struct image *i = image_of(ino);

	if (!i) {
		fuse_reply_err(q, ENOENT);
		return;
	}
	i->opened++;
	f->direct_io = 1; /* nothing of it is kept by the kernel */
	fuse_reply_open(q, f);
}

static void release(fuse_req_t q, fuse_ino_t ino, struct fuse_file_info *f)
{
	struct image *i = image_of(ino);

	(void)f;
	if (i && --i->opened == 0 && !i->durable) {
		munmap(i->now, disk.bytes);
		i->now = NULL;
	}
	fuse_reply_err(q, 0);
}

static void read_image(fuse_req_t q, fuse_ino_t ino, size_t size, off_t at, struct fuse_file_info *f)
{
	struct image *i = image_of(ino);
	size_t from = (size_t)at < disk.bytes ? (size_t)at : disk.bytes;

	(void)f;
	if (i)
		fuse_reply_buf(q, (char *)i->now + from, size < disk.bytes - from ? size : disk.bytes - from);
	else
		fuse_reply_err(q, EIO);
}

static void write_image(
	fuse_req_t q, fuse_ino_t ino, const char *from, size_t size, off_t at, struct fuse_file_info *f)
{
	struct image *i = image_of(ino);

	(void)f;
	if (!i || (size_t)at > disk.bytes || size > disk.bytes - (size_t)at) {
		fuse_reply_err(q, i ? ENOSPC : EIO);
		return;
	}
	memcpy(i->now + at, from, size);
	if (i->durable)
		note_unflushed((size_t)at, (size_t)at + size);
	fuse_reply_write(q, size);
}

static void sync_image(fuse_req_t q, fuse_ino_t ino, int data_only, struct fuse_file_info *f)
{
	struct image *i = image_of(ino);

	(void)data_only;
	(void)f;
	if (i && i->durable)
		flush(i);
	fuse_reply_err(q, i ? 0 : EIO);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = look_up,
	.getattr = get_attributes,
	.setattr = set_attributes,
	.open = open_image,
	.release = release,
	.read = read_image,
	.write = write_image,
	.fsync = sync_image,
};

/* --- running --- */

/* False: the end of the input. */
static bool obey(void)
{
	char order[16];

	if (!fgets(order, sizeof(order), stdin))
		return false;
	if (strcmp(order, "cut\n") == 0)
		cut();
	else if (strcmp(order, "go\n") == 0)
		disk.still = false;
	fflush(stdout);
	return true;
}

static void serve(struct fuse_session *s)
{
	struct fuse_buf b = {0};

	for (;;) {
		struct pollfd p[2] = {
			{.fd = 0, .events = POLLIN}, {.fd = fuse_session_fd(s), .events = POLLIN}};

		if (poll(p, disk.still ? 1 : 2, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents && !obey())
			return;
		if (disk.still || !p[1].revents)
			continue;
		int n = fuse_session_receive_buf(s, &b);
		if (n > 0)
			fuse_session_process_buf(s, &b);
		else if (n != -EINTR)
			return;
	}
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *s;

	if (argc != 4) {
		fprintf(stderr, "Usage: disk DIRECTORY MIB SEED\n");
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* or poll() would not see the second of two orders */
	disk.bytes = strtoul(argv[2], NULL, 10) << 20;
	disk.chance = strtoull(argv[3], NULL, 10) * 2654435761u + 1;
	disk.images[0] = (struct image){.now = memory(disk.bytes), .durable = memory(disk.bytes)};
	disk.unflushed = memory(disk.bytes / SECTOR);
	disk.sectors = memory(disk.bytes / SECTOR * sizeof(size_t));
	disk.touched = memory(disk.bytes / PAGE);
	s = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (!s || fuse_session_mount(s, argv[1]) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	serve(s);
	fuse_session_unmount(s);
	fuse_session_destroy(s);
	return 0;
}
