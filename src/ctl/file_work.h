/* SPDX-License-Identifier: MIT */
/*
 * file_work - one command about unit files, from names to changes on disk: what harkctl and hark-bus do alike.
 *
 * file_work_open() reads the unit directories, file_work_names() takes the names, file_work_plan() changes the picture of them in memory and
 * install_apply() on w->tree makes it true. Blocks on the disk: not for the manager.
 */
#pragma once

#include "ctl/verb.h"
#include "units/install.h"
#include "units/install_apply.h"
#include "units/install_state.h"
#include "units/load.h"

struct file_work {
	struct load load;
	struct install_tree tree;
	struct install install; /* what is to be told is in its notes */
	const char **names;     /* full names, and paths, in the arena of install */
	unsigned names_n;
};

/* dirs: search path "A:B:C", NULL: the default one; root: "" or the folder of another system. 0 or -errno; close it in both cases. */
MUST_USE int file_work_open(struct file_work *w, const char *dirs, const char *root);
void file_work_close(struct file_work *w);
/* "ssh" is ssh.service, as everywhere; paths are left as they are where the verb takes them. 0 or -ENOMEM. */
MUST_USE int file_work_names(struct file_work *w, enum verb_id verb, const char *const *words,
			     unsigned n);
/* preset_mode: word for VERB_PRESET and VERB_PRESET_ALL, NULL: full. 0 or -errno; has_error of w->install says whether it was refused. */
MUST_USE int file_work_plan(struct file_work *w, enum verb_id verb, const char *preset_mode);

/* A unit file of the list. preset: what the presets want, NULL where they have no say. False: no more. */
typedef bool (*file_work_fn)(void *arg, const struct tree_node *n, enum install_state state,
			     const char *preset);
/* Every unit file, each name once, by kind and name, whose name matches one of the patterns (n 0: all). 0 or -errno. */
MUST_USE int file_work_list(struct file_work *w, const char *const *patterns, unsigned n,
			    file_work_fn fn, void *arg);
