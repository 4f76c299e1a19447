/* SPDX-License-Identifier: MIT */
#include "core/kill.h"

#include <signal.h>

#include "activate/busname.h"
#include "core/log.h"
#include "core/proc.h"
#include "core/procs.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/value.h"

static const struct kill_config *config_of(const struct unit *u)
{
	return u->config && u->config->exec ? &u->config->exec->kill : NULL;
}

static void signal_own(struct hark *h, struct unit *u, int sig)
{
	for (unsigned role = ROLE_MAIN; role <= ROLE_CONTROL; role++) {
		const struct proc_ref *p = procs_ref(u, (enum proc_role)role);

		if (p && procs_signal(h, p, sig) < 0)
			log_at(LOG_WARN,
			       "%s: cannot send %d to process %d; the stop timeout decides",
			       u->name, sig, p->pid);
	}
}

static pid_t main_pid(struct unit *u)
{
	const struct proc_ref *p = procs_ref(u, ROLE_MAIN);

	return p && p->slot ? p->pid : 0;
}

/* Without cgroups a unit's processes are known by their sessions: each of ours began one, its pid is the session's name. */
static void signal_sessions(struct unit *u, int sig, pid_t except)
{
	for (unsigned role = ROLE_MAIN; role <= ROLE_CONTROL; role++) {
		const struct proc_ref *p = procs_ref(u, (enum proc_role)role);

		if (p && p->pid > 1 && proc_signal_session(p->pid, sig, except) < 0)
			log_debug("kill", "%s: no /proc to find its processes in", u->name);
	}
}

static void signal_members(struct hark *h, struct unit *u, int sig, pid_t except)
{
	char path[CGROUP_PATH];

	if (!h->cgroups.has_cgroups) {
		signal_sessions(u, sig, except);
		return;
	}
	procs_cgroup(u, path);
	if (cgroup_signal(&h->cgroups, path, sig, except) < 0)
		log_debug("kill", "%s: no cgroup to signal", u->name);
}

static bool is_restarting(const struct unit *u)
{
	return u->work->job.type == JOB_RESTART || u->work->job.type == JOB_START;
}

/* What `freeze` has suspended could not obey. */
static void thaw(struct hark *h, const struct unit *u)
{
	char path[CGROUP_PATH];

	procs_cgroup(u, path);
	if (h->cgroups.has_cgroups && cgroup_freeze(&h->cgroups, path, false) < 0)
		log_debug("kill", "%s: no cgroup to thaw", u->name);
}

/* KillMode=none: what runs is nobody's from now on. */
static bool lets_go(struct hark *h, struct unit *u, const struct kill_config *k)
{
	if (k->mode != KILL_NONE)
		return false;
	procs_disown(h, u);
	engine_post_simple(&h->engine, u, EV_EMPTY, 0, 0, 0);
	return true;
}

/* The controller of a scope is asked to end it: hark-bus sees that it stops. When the controller is gone we hear of it, and are called again. */
static bool is_asked_by_others(const struct hark *h, struct unit *u)
{
	return scope_controller(u) && busname_has_bridge(h);
}

void kill_term(struct hark *h, struct unit *u)
{
	const struct kill_config *k = config_of(u);
	int sig;

	if (!k || is_asked_by_others(h, u) || lets_go(h, u, k))
		return;
	thaw(h, u);
	sig = is_restarting(u) && k->restart_signal ? k->restart_signal : k->signal;
	signal_own(h, u, sig);
	if (sig != SIGKILL && sig != SIGCONT) /* a stopped process could not obey */
		signal_own(h, u, SIGCONT);
	if (k->send_hup)
		signal_own(h, u, SIGHUP);
	if (k->mode != KILL_CONTROL_GROUP)
		return;
	signal_members(h, u, sig, main_pid(u));
	if (k->send_hup)
		signal_members(h, u, SIGHUP, main_pid(u));
}

void kill_watchdog(struct hark *h, struct unit *u)
{
	const struct kill_config *k = config_of(u);

	if (!k || lets_go(h, u, k))
		return;
	thaw(h, u);
	signal_own(h, u, k->watchdog_signal);
	if (k->mode == KILL_CONTROL_GROUP)
		signal_members(h, u, k->watchdog_signal, main_pid(u));
}

void kill_all(struct hark *h, struct unit *u)
{
	const struct kill_config *k = config_of(u);
	char path[CGROUP_PATH];

	if (!k || !k->send_kill || k->mode == KILL_NONE)
		return;
	log_at(LOG_WARN, "%s: did not end in time; sending %s", u->name,
	       value_signal_name(k->final_signal));
	signal_own(h, u, k->final_signal);
	procs_cgroup(u, path);
	if (k->mode == KILL_PROCESS)
		return;
	if (k->final_signal != SIGKILL)
		signal_members(h, u, k->final_signal, main_pid(u));
	else if (!h->cgroups.has_cgroups)
		signal_sessions(u, SIGKILL, 0);
	else if (cgroup_kill(&h->cgroups, path) < 0)
		log_debug("kill", "%s: no cgroup to kill", u->name);
	else
		u->is_cgroup_killed = true;
}

void kill_await_empty(struct hark *h, struct unit *u)
{
	char path[CGROUP_PATH];
	int wd;

	procs_cgroup(u, path);
	wd = cgroup_watch(&h->cgroups, path);

	if (wd >= 0)
		u->events_wd = wd + 1;
	/* it may have become empty before the watch was there */
	if (wd < 0 || cgroup_is_populated(&h->cgroups, path) <= 0)
		engine_post_simple(&h->engine, u, EV_EMPTY, 0, 0, 0);
}

static int final_signal(const struct unit *u, const struct kill_config *k)
{
	if (k->mode == KILL_MIXED)
		return k->send_kill ? k->final_signal : 0;
	return is_restarting(u) && k->restart_signal ? k->restart_signal : k->signal;
}

/* An rmdir that succeeds tells as well as cgroup.events does that nobody is left, and is due anyway when the run is the last. */
static bool is_empty(struct hark *h, struct unit *u, const char *path)
{
	bool is_last = u->type != UNIT_SERVICE || !service_wants_restart(service_of(u));

	u->is_cgroup_gone = is_last && cgroup_remove(&h->cgroups, path) == 0;
	return u->is_cgroup_gone || cgroup_is_populated(&h->cgroups, path) <= 0;
}

void kill_leftovers(struct hark *h, struct unit *u)
{
	const struct kill_config *k = config_of(u);
	bool are_spared = !k || k->mode == KILL_PROCESS || k->mode == KILL_NONE;
	char path[CGROUP_PATH];

	procs_cgroup(u, path);
	if (!are_spared && h->cgroups.has_cgroups && !is_empty(h, u, path)) {
		signal_members(h, u, final_signal(u, k), 0);
		kill_await_empty(h, u);
		return;
	}
	if (!are_spared && !h->cgroups.has_cgroups)
		signal_members(h, u, final_signal(u, k), 0);
	engine_post_simple(&h->engine, u, EV_EMPTY, 0, 0, 0);
}

bool kill_can_wait(void *arg UNUSED, struct unit *u)
{
	const struct service *s = service_of(u);

	return s && s->socket_unit != UNIT_NONE &&
	       (u->work->pending_fx & ~(uint32_t)FX_WATCHDOG_OFF) == FX_KILL_FINAL;
}

int kill_unit(struct hark *h, struct unit *u, unsigned whom, int sig)
{
	int sent = 0;
	char path[CGROUP_PATH];

	for (unsigned role = ROLE_MAIN; role <= ROLE_CONTROL; role++) {
		const struct proc_ref *p = procs_ref(u, (enum proc_role)role);

		if (p && p->slot && (whom & role) && procs_signal(h, p, sig) == 0)
			sent++;
	}
	if (whom == (ROLE_MAIN | ROLE_CONTROL) && h->cgroups.has_cgroups) {
		int n;

		procs_cgroup(u, path);
		n = cgroup_signal(&h->cgroups, path, sig, main_pid(u));
		sent += n > 0 ? n : 0;
	}
	return sent;
}
