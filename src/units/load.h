/* SPDX-License-Identifier: MIT */
/*
 * load - from names to configurations: the index of unit files, and the loader.
 *
 * One readdir of every search directory (and of its *.d, *.wants, *.requires, *.upholds) builds the index of names, aliases, drop-ins
 * and links; a unit is read and parsed when it is first asked for. Nothing here decides: a broken unit is a
 * configuration with findings and a load state. In a directory named "units" outside of /usr (/etc/units, /run/units) presence is
 * enablement: the [Install] sections of its files are read with the index and count as if they were linked. Reads files; makes no other system call that changes anything.
 */
#pragma once

#include "units/load_index.h"

/* (Re-)build the index. A missing directory is fine. 0 or -errno of one that cannot be read (then the old index stays). */
MUST_USE int load_scan(struct load *l);
/*
 * load_unit() - read everything about one unit: fragment (or template), drop-ins, .wants/.requires links; parse; add implicit and default
 * dependencies; verify. *ret_config is owned by the caller (unit_config_free) and set whenever 0 is returned, also for a unit that
 * does not exist (LOAD_NOT_FOUND), is masked, or is bad. Returns 0 or -ENOMEM.
 */
MUST_USE int load_unit(struct load *l, const char *name, struct unit_config **ret_config);
/* What load_unit() would find, by the index alone: LOAD_LOADED for a file that may yet be bad. */
enum load_state load_expect(const struct load *l, const char *name);
/* As load_unit(), with text in place of the file (tests, fuzzer, verify of stdin, built-in units); drop-ins and links of the index count. */
MUST_USE int load_unit_text(struct load *l, const char *name, const char *file, struct str text,
			    struct unit_config **ret_config);
/*
 * load_install() - only the [Install] section of the file at path (below the root), and of the drop-ins of `name`.
 *
 * A template speaks of its default instance. Load state: LOAD_LOADED, LOAD_MASKED (the file is empty) or LOAD_ERROR (it cannot be
 * read). Returns 0 or -ENOMEM.
 */
MUST_USE int load_install(struct load *l, const char *name, const char *path,
			  struct unit_config **ret_config);
/* The same of the file of an entry that the index has and whose presence enables it. */
MUST_USE int load_present_install(struct load *l, const struct load_entry *e,
				  struct unit_config **ret_config);
/* What [Install] in c, of that entry, says counts as links of the index from now on; index_finish() is to follow. 0 or -ENOMEM. */
MUST_USE int load_enable(struct load *l, struct load_entry *e, const struct unit_config *c);
/* Do its files say something else in [Install] than when that configuration was read? Also when that is not known. */
bool load_install_is_stale(struct load *l, const struct unit_config *c);
/* Have the files of that configuration changed on disk (inode, size or mtime of fragment and drop-ins)? Asks the kernel. */
bool load_is_stale(const struct load *l, const struct unit_config *c);
