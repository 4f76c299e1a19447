/* SPDX-License-Identifier: MIT */
/*
 * hark-cache: what the unit directories have, in one file for the next boot (units/unit_cache.h). Started by hark-cache.service.
 *
 * Directories of /run are left out: they are empty when the machine boots. Exits with 0, or 1 when the file could not be written.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "core/fd.h"
#include "units/load.h"

enum { SETTLED_S = 2 }; /* the coarsest times that file systems keep */

static int write_cache(const struct load *l)
{
	AUTO_MEM char **dirs = mem_get(l->dirs_n * sizeof(*dirs));
	unsigned n = 0;
	int r = fd_mkdir_parents(UNIT_CACHE_DIR, true, 0755);

	if (!dirs)
		return -ENOMEM;
	for (unsigned k = 0; k < l->dirs_n; k++)
		if (!str_has_prefix(str_of(l->dirs[k]), STR("/run/")))
			dirs[n++] = l->dirs[k];
	return r < 0 ? r
		     : unit_cache_write(dirs, n, time(NULL) - SETTLED_S, UNIT_CACHE_DIR,
					UNIT_CACHE_NAME);
}

/* hark-cache [DIR:...]: as harkd's --unit-path. */
int main(int argc, char **argv)
{
	struct load l;
	int r;

	umask(022);
	r = load_init(&l, argc > 1 ? argv[1] : NULL, "");
	if (r == 0) {
		r = write_cache(&l);
		load_fini(&l);
	}
	if (r < 0)
		fprintf(stderr, "hark-cache: cannot write %s: %s; boots read each unit file\n",
			UNIT_CACHE_DIR "/" UNIT_CACHE_NAME, strerror(-r));
	return r < 0;
}
