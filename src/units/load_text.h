/* SPDX-License-Identifier: MIT */
/*
 * load_text - the texts of unit files, and marks by which a change of one is seen.
 *
 * A file that is read to look for its [Install] is kept until it is loaded, and the template read last until another is: the connections
 * of an Accept=yes socket come one after the other. What is kept has a limit; beyond it files are read again.
 */
#pragma once

#include <sys/stat.h>

#include "units/unit_cache.h"

enum {
	TEXT_MAX = 4 * 1024 * 1024,  /* bytes of one file */
	TEXTS_KEPT = 4 * 1024 * 1024 /* bytes of all that are kept */
};

/* Files with equal marks have equal texts, for the same people. */
struct text_mark {
	uint64_t ino;
	int64_t size; /* bytes */
	mode_t mode;
	struct timespec mtime;
};

struct load_text {
	const char *text; /* NULL: not read */
	size_t n;
	struct text_mark mark;
};

/* The template read last. */
struct load_template {
	const char *path; /* NULL: none yet */
	struct load_text text;
	struct arena arena; /* of both */
};

/* One more mark in a sum of marks, of which only equality matters. */
uint64_t text_mark_add(uint64_t sum, const struct text_mark *mark);
uint64_t text_mix(uint64_t sum, uint64_t value);
/* The mark that a file has now: 0 or -errno. Nothing is mounted for it. */
MUST_USE int text_mark_read(const char *path, struct text_mark *ret);
/*
 * text_read() - the text of a regular file, in one open, stat and read.
 *
 * @dir: descriptor of the directory that a relative path begins at, or AT_FDCWD
 * @most: bytes
 *
 * The text is the arena's. Returns 0, -EFBIG, -EISDIR, -ENXIO (something else than a file), -ENOMEM, -errno.
 */
MUST_USE int text_read(int dir, const char *path, size_t most, struct arena *arena,
		       struct load_text *ret);
/*
 * text_find() - the same from the cache.
 *
 * @name: of the file, below dir
 * @path: by which the cache knows it
 *
 * The text is the cache's. False: it is not there, or has changed.
 */
bool text_find(const struct unit_cache *c, int dir, const char *name, const char *path,
	       struct load_text *ret);
/* The same of a template, which t keeps; read only when it is not the one, or has changed. The text is t's until the next call. */
MUST_USE int text_read_template(struct load_template *t, const char *path);
void load_template_fini(struct load_template *t);
