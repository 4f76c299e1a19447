/* SPDX-License-Identifier: MIT */
/*
 * view - what a service sees of the file system: a list of places, each with what is there, put together in a mount
 * namespace of its own (linked into hark-exec; the kinds are harkd's, too).
 *
 * Every view is a mount that exists before the first one is put in place: what is meant by a path is what was there at
 * the beginning, whatever covers it in the end. They are put in place from the root down, so one may lie in another,
 * and one takes from the view around it the attributes that it does not decide itself: ReadOnlyPaths=/ with
 * ReadWritePaths=/var leaves /var as it was. mount_setattr(2), open_tree(2), Linux 5.12.
 */
#pragma once

#include "core/plan.h"

/* Of two views of one place the first kind of these wins, with the attributes of both. */
enum view_kind {
	VIEW_HIDDEN,   /* nothing can be reached */
	VIEW_BIND,     /* what is at the source is seen there, with all that is mounted below it */
	VIEW_BIND_ONE, /* the same without what is mounted below */
	VIEW_TMPFS,    /* an empty file system; the source is its options */
	VIEW_PROC,     /* a procfs of its own; the source is its options */
	VIEW_SAME,     /* what was there; links are followed */
	VIEW_KEEP, /* what was there, a link as that link, where something else covers what it lies in */
	VIEW_KINDS
};
enum view_flag {
	VIEW_OPTIONAL = 1, /* what is missing is left out */
	VIEW_IN_ROOT =
		2, /* the place lies below the root directory of the service: no link leads out of it */
};

/*
 * view_add() - one record of the step VIEW. Its text is used until view_enter() has returned.
 *
 * Returns 0, -EBADMSG (not such a record) or -ENOMEM.
 */
MUST_USE int view_add(const struct plan_record *record);
/*
 * view_enter() - put all views in place, in the mount namespace of this process, which must be its own and a slave.
 *
 * @root: what the service will see as "/", NULL: what is it now
 *
 * On failure *ret_place is the place that made trouble, or NULL. Returns 0 or -errno.
 */
MUST_USE int view_enter(const char *root, const char **ret_place);
