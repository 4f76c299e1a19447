/* SPDX-License-Identifier: MIT */
/*
 * leftovers - what goes when a service is at rest: its cgroup, what was made for PrivateTmp=, its RuntimeDirectory=, the IPC objects of its user
 * (RemoveIPC=) and a user that was there for the run only.
 */
#pragma once

#include "core/hark.h"

/* The unit is at rest. What does not go is told in the log, if at all. */
void leftovers_remove(struct hark *h, struct unit *u);
/* The unit is to be forgotten: the cgroup that is there for its next run goes. */
void leftovers_retire(struct hark *h, struct unit *u);
/* Its cgroup, and (of a socket) those that are there for the next run of what it wakes. It may be there again, empty, for such a run. */
void leftovers_remove_cgroup(struct hark *h, struct unit *u);
