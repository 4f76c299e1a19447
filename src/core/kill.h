/* SPDX-License-Identifier: MIT */
/*
 * kill - ending the processes of a unit as KillMode= says (systemd.kill(5)): main and control by their slots, the rest by the cgroup.
 *
 * Nothing here allocates: it works on the way down, whatever happened to memory.
 */
#pragma once

#include "core/procs.h"

/* The configured signal (the restart signal when a restart is under way); SIGHUP after it when SendSIGHUP=. None to a scope whose controller is asked. */
void kill_term(struct hark *h, struct unit *u);
/* WatchdogSignal=, to what KillMode= names. */
void kill_watchdog(struct hark *h, struct unit *u);
/* SIGKILL, when SendSIGKILL= allows. */
void kill_all(struct hark *h, struct unit *u);
/* Main and control are gone: what KillMode= wants of the leftovers. Posts EMPTY when nothing is left to wait for. */
void kill_leftovers(struct hark *h, struct unit *u);
/* One signal to main (1), control (2) or everything (3 also the cgroup), for `harkctl kill`. Returns how many or -errno. */
MUST_USE int kill_unit(struct hark *h, struct unit *u, unsigned whom, int sig);
/* Leftovers end when cgroup.events says so: posts EMPTY then, or now when nobody is left. */
void kill_await_empty(struct hark *h, struct unit *u);
/* Is all that is to be done of u the end of a connection's instance, for which nobody waits? engine_ops.can_wait */
bool kill_can_wait(void *arg, struct unit *u);
