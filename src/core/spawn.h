/* SPDX-License-Identifier: MIT */
/*
 * spawn - one process of a unit: from its command to the SPAWN record, and the search for a forking service's main process.
 */
#pragma once

#include "core/procs.h"
#include "units/service.h"

/* Run the command whose turn it is in the unit's state. Posts SPAWN_FAILED when it cannot even be asked for. */
void spawn_command(struct hark *h, struct unit *u, enum proc_role role);
/*
 * spawn_later() - a process could not be made: try again until one can?
 *
 * Who starts waits until others have ended, and so do his clients; who reloads or ends does not: what takes up all processes may be his own.
 *
 * @err: why not; -EAGAIN, -ENOMEM, and -ENOSPC (PID 1 keeps as many descriptors as it can) pass, and so does, for everybody, -EBUSY (those
 *       who were killed are still there)
 *
 * False: it has failed.
 */
bool spawn_later(struct hark *h, struct unit *u, enum proc_role role, int err);
/*
 * Type=forking, the starter has ended well: find the main process by PIDFile= or by the cgroup; posts MAIN_PID now or later.
 * ExitType=cgroup, the main process has ended: see to it that EMPTY is posted when the others have, too.
 */
void spawn_find_main(struct hark *h, struct service *s);
/* Its pid file may be there by now; else it is looked for again later (DUE_PID_FILE). */
void spawn_look_for_pid_file(struct hark *h, struct service *s);
/* The run is over: what it wrote there names nobody now. */
void spawn_forget_pid_file(const struct service *s);
/* The main process has ended, and had written another of the service's into PIDFile= before: its pid, else 0. */
pid_t spawn_next_main(struct hark *h, struct service *s);
/* Keep a sentence as the reason why the unit's last start failed; owned text is taken over. */
void spawn_set_fail(struct unit *u, uint8_t exit_code, char *owned_text);
/* No main process is known: the end of the service is that its cgroup is empty, which is told by EMPTY. */
void spawn_watch_members(struct hark *h, struct service *s);
