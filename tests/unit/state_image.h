/* SPDX-License-Identifier: MIT */
/* The images of tests/state/: records of a 64-bit offset, a 32-bit length and that many bytes, all between is zero (README there). */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/state.h"

enum { IMAGE_PIECE = 64, IMAGE_PATH = 512 };
static const char image_dir[] = HARK_SOURCE_DIR "/tests/state";

static inline void image_write(const char *name, const void *image, size_t size)
{
	static const char zero[IMAGE_PIECE];
	char path[IMAGE_PATH];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", image_dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	for (uint64_t at = 0; at <= size; at += IMAGE_PIECE) {
		uint32_t n = size - at < IMAGE_PIECE ? (uint32_t)(size - at) : IMAGE_PIECE;
		const char *p = (const char *)image + at;

		if (at + n < size && !memcmp(p, zero, n))
			continue;
		fwrite(&at, sizeof(at), 1, f);
		fwrite(&n, sizeof(n), 1, f);
		fwrite(p, n, 1, f);
	}
	ck_assert_int_eq(fclose(f), 0);
}

/* As PID 1 would have it: the memfd. */
static inline int image_read(const char *name)
{
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char path[IMAGE_PATH], bytes[IMAGE_PIECE];
	uint64_t at;
	uint32_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", image_dir, name);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fread(&at, sizeof(at), 1, f) == 1 && fread(&n, sizeof(n), 1, f) == 1) {
		ck_assert_uint_le(n, sizeof(bytes));
		ck_assert_uint_eq(fread(bytes, 1, n, f), n);
		ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), n);
	}
	fclose(f);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}
