/*
 * Gives files to a fuzz target, one after the other: `page FILE-OR-FOLDER…`.  Each also cut at every byte, or at some
 * of them where it is long: `--whole` leaves that out.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define CUTS 200

static unsigned inputs;

static void give(const char *at, size_t len)
{
	char *copy = malloc(len ? len : 1);

	MUST(copy);
	if (len)
		memcpy(copy, at, len);
	inputs++;
	LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
	free(copy);
}

static void replay_file(const char *path, bool whole)
{
	struct buf text = {0};
	char block[65536];
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(1);
	}
	for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
		buf_add(&text, block, n);
	fclose(f);
	MUST(!buf_failed(&text));
	/* said before: what crashes is the last one named */
	fprintf(stderr, "%s\n", path);
	give(text.at, text.len);
	size_t step = text.len / CUTS + 1;
	for (size_t len = 0; !whole && len < text.len; len += step)
		give(text.at, len);
	buf_done(&text);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay_folder(const char *path, bool whole)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, by_name);

	if (n < 0) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		char file[1024];

		snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			replay_file(file, whole);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	bool whole = argc > 1 && strcmp(argv[1], "--whole") == 0;
	struct stat st;

	for (int i = 1 + whole; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			replay_folder(argv[i], whole);
		else
			replay_file(argv[i], whole);
	}
	printf("%u inputs\n", inputs);
	return inputs > 0 ? 0 : 1;
}
