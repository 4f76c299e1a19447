/* SPDX-License-Identifier: MIT */
/*
 * procs - the manager's view of its units' processes: which bank slot and token belong to which unit in which role.
 *
 * It is kept with the slot, from the request to the acknowledgement of the exit. Identity is slot and token, never a pid.
 */
#pragma once

#include "core/hark.h"
#include "units/exec_config.h"

/*
 * Of struct bank_user here: unit is an id, UNIT_NONE once nobody asks for the process any more; role an enum proc_role; commands
 * the command list it came from, for messages (of an ACCEPT: which port of the socket).
 */

/* A slot with a token (procs_token()), taken for a process of u in that role. The slot, or -ENOSPC. */
MUST_USE int procs_add(struct hark *h, struct unit *u, enum proc_role role);
static inline uint64_t procs_token(const struct hark *h, uint32_t slot)
{
	return h->bank.seen[slot].token;
}
/* Take a process that is in the bank already as the unit's in that role; a main process before it is an ordinary member from then on. Was it there, and nobody's? */
bool procs_claim(struct hark *h, struct unit *u, enum proc_role role, uint32_t slot);
/* For whom the process with that slot and token is; NULL: for nobody. */
struct bank_user *procs_find(const struct hark *h, uint32_t slot, uint64_t token);
/* Forget for whom it was; the slot stays what it is. */
void procs_forget(struct hark *h, uint32_t slot);
/* The same, and give the slot back. */
void procs_del(struct hark *h, uint32_t slot);
/* The process of that role of a unit, or NULL for types without processes. */
struct proc_ref *procs_ref(struct unit *u, enum proc_role role);
/* Its output pipe, or NULL for types of which nothing is kept. */
struct output_pipe *procs_output(struct unit *u);
/* Where the sentence lies that says why its last start (of a mount: change) failed, owned; or NULL for types without. */
const char **procs_fail_text(struct unit *u);
/*
 * The unit no longer cares for its processes (the end of a run, KillMode=none ...) nor for when its cgroup is empty: their exits are
 * acknowledged and dropped.
 */
void procs_disown(struct hark *h, struct unit *u);
/* Ask PID 1 to watch a process that is its child by re-parenting, as the unit's main one; MAIN_PID is posted with the answer. 0 or -errno. */
MUST_USE int procs_adopt_main(struct hark *h, struct unit *u, pid_t pid);
/* Path of the unit's cgroup relative to the root: "system.slice/ssh.service", "user.slice/user-1000.slice"; "": the root slice. */
void procs_cgroup(const struct unit *u, char out[CGROUP_PATH]);
/* The same of a service, scope or slice that may have processes; false: there are none. One that is at rest has those that nothing could end, or that KillMode= leaves. */
bool procs_cgroup_in_use(struct hark *h, const struct unit *u, char out[CGROUP_PATH]);
/* Signal by slot. 0 or -errno; a process that is gone is fine. */
MUST_USE int procs_signal(struct hark *h, const struct proc_ref *p, int sig);
