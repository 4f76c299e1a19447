/* SPDX-License-Identifier: MIT */
/*
 * mounts - the kernel's mount table as mount units: what appears there, whoever did it, makes its unit mounted, what goes makes it dead.
 * Where the kernel tells of each mount (mountns.h) a change costs the same however many mounts there are; otherwise the whole table is
 * read when it has changed, proc_pid_mountinfo(5).
 */
#pragma once

#include "core/hark.h"
#include "units/mount_unit.h"

/* Look at the table and go on watching it. 0 or -errno (there is no /proc). */
MUST_USE int mounts_open(struct hark *h);
/* Take in what has changed until now. */
void mounts_refresh(struct hark *h);
/* The same, and compare all units with what is mounted: after a takeover. */
void mounts_compare(struct hark *h);
/* hark-mount has ended for that mount or swap: look at the table, keep what it said about a failure. */
void mounts_ended(struct hark *h, struct mount_unit *m, bool is_good);
/* A mount unit was loaded, perhaps while its place is mounted already. */
void mounts_loaded(struct hark *h, struct unit *u);
/* What the kernel tells of what is mounted there, as mount(8) prints it. */
enum mount_fact { MOUNT_WHAT, MOUNT_TYPE, MOUNT_OPTIONS };
/* Into *out. False: nothing is mounted there, or it is not known. */
bool mounts_fact(struct hark *h, const struct unit *u, enum mount_fact which, struct sbuf *out);
/* All of them: "/dev/sda1 (ext4, rw,relatime)". As mounts_fact(). */
bool mounts_describe(struct hark *h, const struct unit *u, struct sbuf *out);
/* Text of a unit for what is mounted under that name and has no file, or NULL. Owned by the caller. */
char *mounts_unit_text(struct hark *h, const char *name);
