/* SPDX-License-Identifier: MIT */
/*
 * replay - runs a fuzz target over its corpus without libFuzzer, as an ordinary test: every file whole, cut short at
 * many places, and with single bytes turned over. Arguments: folders or files; one that does not exist is no error.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST = 1 << 20, VARIANTS = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned long runs_n;

/* A copy of exactly this size, so that a sanitizer sees one byte too far. */
static void run_copy(const uint8_t *data, size_t size, size_t flip, uint8_t mask)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(1);
	memcpy(copy, data, size);
	if (flip < size)
		copy[flip] ^= mask;
	LLVMFuzzerTestOneInput(copy, size);
	runs_n++;
	free(copy);
}

static void run_variants(const uint8_t *data, size_t size)
{
	size_t step = size / VARIANTS + 1;

	run_copy(data, size, size, 0);
	for (size_t i = 0; i < size; i += step) {
		run_copy(data, i, i, 0);
		run_copy(data, size, i, 0x01);
		run_copy(data, size, i, 0x80);
		run_copy(data, size, i, 0xff);
	}
}

static void run_file(const char *path)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *data = malloc(LARGEST);

	if (!data)
		exit(1);
	if (f) {
		run_variants(data, fread(data, 1, LARGEST, f));
		fclose(f);
	}
	free(data);
}

static void run_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char name[4096];

	if (!d)
		return;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' &&
		    snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < (int)sizeof(name))
			run_file(name);
	closedir(d);
}

int main(int argc, char **argv)
{
	struct stat st;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	run_copy((const uint8_t *)"", 0, 0, 0);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			run_folder(argv[i]);
		else
			run_file(argv[i]);
	}
	printf("%lu inputs\n", runs_n);
	return 0;
}
