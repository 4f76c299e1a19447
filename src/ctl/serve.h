/* SPDX-License-Identifier: MIT */
/*
 * serve - the handlers of the verbs, one serve_*() per handler word of verbs.def. Those that change something are in jobs.c and
 * change.c, settings.c and transient.c, those that only look in look.c, lists.c and crashes.c. Each is a step function as ctl/call.h describes.
 */
#pragma once

#include "ctl/call.h"

/* Each returns enum call_step or -errno. */
int serve_health(struct call *c);
int serve_status(struct call *c);
int serve_job(struct call *c);
int serve_kill(struct call *c);
int serve_reset_failed(struct call *c);
int serve_wait(struct call *c);
int serve_logs(struct call *c);
int serve_timers(struct call *c);
int serve_is_system_running(struct call *c);
int serve_list(struct call *c);
int serve_triggers(struct call *c);
int serve_deps(struct call *c);
int serve_why(struct call *c);
int serve_jobs(struct call *c);
int serve_monitor(struct call *c);
int serve_bus_names(struct call *c);
int serve_whose(struct call *c);
/* `why --started-by` */
int serve_started(struct call *c);
int serve_hold(struct call *c);
int serve_holds(struct call *c);
int serve_transient(struct call *c);
int serve_attach(struct call *c);
int serve_abandon(struct call *c);
int serve_devices(struct call *c);
int serve_cancel(struct call *c);
int serve_cat(struct call *c);
int serve_show(struct call *c);
int serve_is_state(struct call *c);
int serve_reload_config(struct call *c);
int serve_environment(struct call *c);
int serve_configure(struct call *c);
int serve_show_environment(struct call *c);
int serve_freeze(struct call *c);
int serve_clean(struct call *c);
int serve_set_property(struct call *c);
int serve_power(struct call *c);
int serve_reexec(struct call *c);
int serve_ledger(struct call *c);
int serve_history(struct call *c);
int serve_trace(struct call *c);
int serve_crashes(struct call *c);

/* The row of a ledger entry. unit: its name; text: its own; crash: number of the crash it stood before, 0 none. */
void serve_entry(struct call *c, const struct ledger_entry *e, const char *unit, const char *text,
		 uint64_t crash);
/* Fields of a timer: "next" and "last", when it elapses and did; of a path unit: "watches". Others have none. */
void serve_put_trigger(struct call *c, struct unit *u);
/* What lies at the place of a mount unit, into the row of it. */
void serve_put_mounted(struct call *c, const struct unit *u);
/* The cause "this caller asked for it". */
struct cause call_cause(const struct call *c);
