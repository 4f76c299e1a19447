/* SPDX-License-Identifier: MIT */
/*
 * bus_serve - the handlers of the methods, one serve_*() per handler word of bus_api.def; in bus_manager.c, bus_lists.c, bus_files.c, bus_bind.c, bus_hark.c, bus_marked.c, bus_transient.c, bus_users.c and bus_standard.c. The
 * message's types are checked before.
 */
#pragma once

#include "core/base.h"

struct bus_call;

/* Each answers the call exactly once, now or later; by then the call is gone. */
void serve_dynamic_user_by_name(struct bus_call *c);
void serve_dynamic_user_by_uid(struct bus_call *c);
void serve_dynamic_users(struct bus_call *c);
void serve_get_unit(struct bus_call *c);
void serve_load_unit(struct bus_call *c);
void serve_get_unit_by_pid(struct bus_call *c);
void serve_get_unit_by_cgroup(struct bus_call *c);
void serve_get_unit_by_invocation(struct bus_call *c);
void serve_get_processes(struct bus_call *c);
void serve_get_job(struct bus_call *c);
void serve_list_units(struct bus_call *c);
void serve_list_units_by_names(struct bus_call *c);
void serve_list_jobs(struct bus_call *c);
void serve_get_waiting(struct bus_call *c);
void serve_start_replace(struct bus_call *c);
void serve_job(struct bus_call *c);
void serve_kill(struct bus_call *c);
void serve_start_transient(struct bus_call *c);
void serve_attach(struct bus_call *c);
void serve_ref(struct bus_call *c);
void serve_unref(struct bus_call *c);
void serve_change(struct bus_call *c);
void serve_reload(struct bus_call *c);
void serve_cancel_job(struct bus_call *c);
void serve_environment(struct bus_call *c);
void serve_clean(struct bus_call *c);
void serve_clear_jobs(struct bus_call *c);
void serve_enqueue_marked(struct bus_call *c);
void serve_enqueue(struct bus_call *c);
void serve_dump(struct bus_call *c);
void serve_set_properties(struct bus_call *c);
void serve_nothing(struct bus_call *c);
void serve_show_status(struct bus_call *c);
void serve_exit_code(struct bus_call *c);
void serve_subscribe(struct bus_call *c);
void serve_unsubscribe(struct bus_call *c);
void serve_ask(struct bus_call *c);
void serve_bind(struct bus_call *c);
/* About unit files: by a child, which waits for the disk. */
void serve_change_files(struct bus_call *c);
void serve_list_files(struct bus_call *c);
void serve_get_file_state(struct bus_call *c);
void serve_get_default_target(struct bus_call *c);
void serve_get_file_links(struct bus_call *c);

/* For bus_ask(): the answer is the path of the job, or nothing at all. */
void bus_finish_job(struct bus_call *c);
void bus_finish_empty(struct bus_call *c);

/* org.freedesktop.DBus.Properties, Introspectable, Peer: of every object. False: not one of these. */
bool serve_standard(struct bus_call *c);
