/* SPDX-License-Identifier: MIT */
#include "activate/fstab_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "activate/fstab_units.h"
#include "core/fd.h"
#include "units/load_index.h"
#include "units/probe.h"

enum { DIRS_MOST = 32, SHADOW_MOST = 1024 * 1024 };

/* The default search path, cut into its directories. 0 or -ENOMEM. */
static int find_dirs(struct arena *arena, const char *dirs[DIRS_MOST])
{
	struct str rest = str_of(load_default_dirs), dir;
	size_t n = 0;

	while (n < DIRS_MOST - 1 && str_cut(&rest, ':', &dir)) {
		dirs[n] = arena_dup(arena, dir.p, dir.n);
		if (!dirs[n++])
			return err_here(-ENOMEM);
	}
	dirs[n] = NULL;
	return 0;
}

/* Has root no password that could be given? 1, 0 or -ENOMEM. That nothing can be read says nothing. shadow(5) */
static int is_root_locked(void)
{
	AUTO_MEM char *text = NULL;
	struct str rest, line, word;
	size_t n = 0;

	int r = fd_read_file(AT_FDCWD, "/etc/shadow", SHADOW_MOST, &text, &n);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (rest = (struct str){text, n}; str_cut(&rest, '\n', &line);)
		if (str_cut(&line, ':', &word) && str_eq_z(word, "root"))
			return str_cut(&line, ':', &word) && word.n &&
			       (word.p[0] == '!' || word.p[0] == '*');
	return false;
}

static int make(struct fstab *f, struct unit_tree *tree, const char *dir, uint64_t device_us)
{
	const char *dirs[DIRS_MOST];
	struct fstab_world w = {
		.unit_dirs = dirs,
		.device_us = device_us,
		.in_container = probe_container() != NULL,
		.has_devices = access("/sys", W_OK) == 0,
	};
	int r = find_dirs(&f->arena, dirs);

	if (r == 0)
		r = is_root_locked();
	if (r < 0)
		return r;
	w.is_locked = r > 0;
	fstab_units(f, &w, tree);
	return unit_tree_write(tree, dir);
}

int fstab_run(const char *path, const char *dir, uint64_t device_us)
{
	struct unit_tree tree = {0};
	struct fstab f;
	int r = fstab_read(&f, path), status;

	if (r < 0)
		fprintf(stderr, "hark-mount: cannot read %s: %s; its units stay as they are\n",
			path, strerror(-r));
	if (r == 0) {
		r = make(&f, &tree, dir, device_us);
		if (r < 0)
			fprintf(stderr, "hark-mount: cannot make the units of %s in %s: %s\n", path,
				dir, strerror(-r));
	}
	status = r < 0 ? 2 : f.told[DIAG_ERROR] > 0;
	unit_tree_fini(&tree);
	fstab_fini(&f);
	return status;
}
