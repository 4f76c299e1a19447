/* SPDX-License-Identifier: MIT */
/*
 * run - the effects for real: struct engine_ops over bank, cgroups, activators, timers and files; and the notes of PID 1.
 */
#pragma once

#include "core/hark.h"
#include "units/service.h"

extern const struct engine_ops run_ops; /* arg: struct hark * */

/*
 * All that files say of a unit; without files what hark has built in, or the mount table; ready to be run. 0, or -ENOMEM and the like;
 * *ret is the caller's, unit_config_free().
 */
MUST_USE int run_load(struct hark *h, const char *name, struct unit_config **ret);
/* Notes of PID 1 become events here; installed as bank.on_note by main. */
void run_on_note(struct bank *b, const struct bank_note *note);
/* cgroup.events changes become EMPTY events; installed as the watch of cgroups.inotify_fd. */
void run_on_cgroup(struct watch *w, uint32_t events);

/* Which of a unit's processes the effect FX_SPAWN_MAIN or FX_SPAWN_CONTROL makes. */
enum proc_role run_spawn_role(const struct unit *u, uint32_t fx);

/* --- takeover.c --- */
/*
 * After the manager's death: state table and bank slots become units with their processes, sockets and jobs. 0, or -ENOMEM: nothing was done
 * or stored yet, and another manager may try again.
 */
MUST_USE int run_takeover(struct hark *h);

/* --- power.c: the end of the system or session --- */
/* Begin an orderly end: stop everything in order, then the final request to PID 1. command: reboot(2) command, or -1 to exit with exit_code. */
MUST_USE int run_shutdown(struct hark *h, int command, int exit_code, const struct cause *cause);
/* Called whenever all that was decided is done: without a job left a shutdown is at its end. */
void run_shutdown_check(struct hark *h);
/* Signals that hark-init received: SIGTERM, SIGINT (Ctrl-Alt-Del) ... */
void run_on_signal(struct hark *h, int sig);
/* The kernel tells of the key for attention only who asks for it: this process. Where there are no consoles there is no such key. console_ioctl(4) */
void run_hear_key(struct hark *h);
