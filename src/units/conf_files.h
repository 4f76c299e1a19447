/* SPDX-License-Identifier: MIT */
/*
 * conf_files - configuration that lies in pieces: the files of one suffix in several directories, as systemd has them (*.preset, system.conf.d/).
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

struct conf_file {
	struct conf_file *next;
	const char *name;
	const char *dir; /* borrowed */
};

/*
 * conf_files_list() - what there is, sorted by name; of files with one name that of the most important directory.
 *
 * @root: before each of the n dirs, "" normally; dirs: the most important first
 * @arena: that of the answer
 *
 * A directory that cannot be read has no files. Returns 0 or -ENOMEM.
 */
MUST_USE int conf_files_list(const char *root, const char *const *dirs, unsigned n,
			     const char *suffix, struct arena *arena, struct conf_file **ret_list);
/* The text of one of them, owned, at most 1 MiB; NULL: it cannot be read (a link to /dev/null is the usual mask). */
char *conf_file_read_dup(const char *root, const struct conf_file *f, size_t *ret_n);
