/* SPDX-License-Identifier: MIT */
/*
 * probe - small questions to /proc, /sys and the file system: what machine is this, what is in that file?
 *
 * Nothing here allocates (but for the C library's directory streams), blocks or triggers an automount. A file that is not
 * there reads as empty: most of these are there on some machines only.
 */
#pragma once

#include "core/str.h"

enum { PROBE_MAX = 4096 };

/* First bytes of a file, trimmed; the text lies in out. */
struct str probe_read(const char *path, char out[PROBE_MAX]);
bool probe_exists(const char *path);
/* Is the word in the list separated by blanks? */
bool probe_has_word(struct str list, const char *word);

typedef bool (*probe_fn)(void *arg, const char *name);
/* Give each entry but "." and ".." to fn until it says stop (true). 1 stopped, 0 ran through, -errno. */
MUST_USE int probe_each_entry(const char *path, probe_fn fn, void *arg);

/* systemd's name of the container manager we run under, or NULL. */
const char *probe_container(void);
/* systemd's name of the hypervisor below us, or NULL. */
const char *probe_machine(void);
/* Is our user namespace another than that of the host? */
bool probe_private_users(void);
/* Words of the "flags" line of the first processor, in text; empty where there is none. */
struct str probe_cpu_flags(char text[PROBE_MAX]);
