/* SPDX-License-Identifier: MIT */
#include "units/conf_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "core/fd.h"

enum { CONF_FILE_MAX = 1024 * 1024 };

/* In order of names; a name that is there already stays as it is. */
static int add_file(struct conf_file **at, struct arena *arena, const char *dir, const char *name)
{
	struct conf_file *f;

	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	if (*at && strcmp((*at)->name, name) == 0)
		return 0;
	f = arena_get(arena, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct conf_file){*at, arena_dup(arena, name, strlen(name)), dir};
	if (!f->name)
		return -ENOMEM;
	*at = f;
	return 0;
}

int conf_files_list(const char *root, const char *const *dirs, unsigned n, const char *suffix,
		    struct arena *arena, struct conf_file **ret_list)
{
	char path[PATH_MAX];
	int r = 0;

	*ret_list = NULL;
	for (unsigned k = 0; r == 0 && k < n; k++) {
		DIR *dir;

		snprintf(path, sizeof(path), "%s%s", root, dirs[k]);
		dir = fd_opendir(AT_FDCWD, path);
		for (const struct dirent *d; r == 0 && dir && (d = readdir(dir));)
			if (d->d_name[0] != '.' &&
			    str_has_suffix(str_of(d->d_name), str_of(suffix)))
				r = add_file(ret_list, arena, dirs[k], d->d_name);
		if (dir)
			closedir(dir);
	}
	return r;
}

char *conf_file_read_dup(const char *root, const struct conf_file *f, size_t *ret_n)
{
	char path[PATH_MAX], *text = NULL;

	snprintf(path, sizeof(path), "%s%s/%s", root, f->dir, f->name);
	return fd_read_file(AT_FDCWD, path, CONF_FILE_MAX, &text, ret_n) == 0 ? text : NULL;
}
