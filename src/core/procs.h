/* SPDX-License-Identifier: MIT */
/*
 * procs - the manager's view of its units' processes: which bank slot and token belong to which unit in which role.
 *
 * An entry lives from the request to the acknowledgement of the exit. Identity is slot and token, never a pid.
 */
#pragma once

#include "core/hark.h"
#include "units/exec_config.h"

struct proc_entry {
	struct map_node node;
	uint64_t token;
	uint32_t slot;    /* bank slot */
	uint32_t unit;    /* id; UNIT_NONE once nobody asks for it any more */
	uint8_t role;     /* enum proc_role */
	uint8_t commands; /* command list it came from, for messages */
};

/* New entry with a slot and token taken; NULL: no memory or no slot (errno in *ret_err). */
struct proc_entry *procs_add(struct hark *h, struct unit *u, enum proc_role role, int *ret_err);
/* Take a process that is in the bank already as the unit's in that role; a main process before it is an ordinary member from then on. 1, 0 (there is no process, or another has it), -ENOMEM. */
MUST_USE int procs_claim(struct hark *h, struct unit *u, enum proc_role role, uint32_t slot);
struct proc_entry *procs_find(const struct hark *h, uint64_t token);
/* Forget the entry and give the slot back. */
void procs_del(struct hark *h, struct proc_entry *p);
/* The process of that role of a unit, or NULL for types without processes. */
struct proc_ref *procs_ref(struct unit *u, enum proc_role role);
/* Its output pipe, or NULL for types of which nothing is kept. */
struct output_pipe *procs_output(struct unit *u);
/* Where the sentence lies that says why its last start (of a mount: change) failed, owned; or NULL for types without. */
const char **procs_fail_text(struct unit *u);
/* The unit no longer cares for these processes (KillMode=none ...): their exits are acknowledged and dropped. */
void procs_disown(struct hark *h, struct unit *u);
/* Ask PID 1 to watch a process that is its child by re-parenting, as the unit's main one; MAIN_PID is posted with the answer. 0 or -errno. */
MUST_USE int procs_adopt_main(struct hark *h, struct unit *u, pid_t pid);
/* Signal by slot. 0 or -errno; a process that is gone is fine. */
MUST_USE int procs_signal(struct hark *h, const struct proc_ref *p, int sig);
