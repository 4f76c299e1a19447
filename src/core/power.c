/* SPDX-License-Identifier: MIT */
#include <linux/reboot.h>
#include <signal.h>
#include <stdio.h>

#include "core/log.h"
#include "core/remember.h"
#include "core/run.h"

enum { COMMAND_EXIT = -1 };

static void say_goodbye(struct hark *h)
{
	bool is_exit = h->final_command == COMMAND_EXIT;

	log_at(LOG_INFO, "everything has ended in order; %s",
	       is_exit ? "leaving" : "handing over to the kernel");
	if (bank_final(&h->bank, is_exit ? h->exit_code : h->final_command, is_exit, h->exec_path) <
	    0)
		log_at(LOG_ERROR, "PID 1 does not take the final request");
}

void run_shutdown_check(struct hark *h)
{
	if (h->is_shutting_down && h->engine.jobs_n == 0 && !h->did_say_goodbye) {
		h->did_say_goodbye = true;
		say_goodbye(h);
	}
}

/* Mounts and swap outlive the isolation of a target; what conflicts with umount.target ends when all that use it have ended. */
static void unmount(struct hark *h, const struct cause *cause)
{
	struct unit *u = registry_get(&h->reg, "umount.target");

	if (!u || engine_request(&h->engine, u, JOB_START, MODE_REPLACE, cause, false, NULL) != 0)
		log_at(LOG_ERROR, "unmounting cannot be planned; PID 1 does it at the end");
}

/* Isolation leaves devices alone; nobody waits for one that is still to come. */
static void stop_waiting(struct hark *h)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);

		if (u && u->ops->is_outside && job_pending(u) == JOB_START)
			engine_cancel(&h->engine, u);
	}
}

/*
 * Everything stops by isolating shutdown.target: units are stopped in the inverse of their start order, each within its own
 * timeout. Stopping allocates nothing but the plan; when even that fails PID 1's last kill does the rest.
 */
int run_shutdown(struct hark *h, int command, int exit_code, const struct cause *cause)
{
	struct unit *u = registry_get(&h->reg, "shutdown.target");
	int r;

	h->final_command = h->is_pid1 ? command : COMMAND_EXIT;
	h->exit_code = exit_code;
	if (h->is_shutting_down)
		return 0;
	h->is_shutting_down = true;
	remember_manager(h);
	r = u ? engine_request(&h->engine, u, JOB_START, MODE_ISOLATE, cause, false, NULL)
	      : -ENOMEM;
	if (r == 0)
		unmount(h, cause);
	h->engine.is_ending = true;
	stop_waiting(h);
	if (r != 0) {
		log_at(LOG_ERROR, "the stop of all units cannot be planned (%d); PID 1 ends them",
		       r);
		h->did_say_goodbye = true;
		say_goodbye(h);
	}
	return 0;
}

static void reload_files(struct hark *h)
{
	if (load_scan(&h->load) < 0)
		log_at(LOG_ERROR,
		       "cannot read the unit directories again: out of memory; the old index stays");
}

void run_on_signal(struct hark *h, int sig)
{
	struct cause cause = {.kind = CAUSE_SIGNAL, .unit = UNIT_NONE};

	snprintf(cause.text, sizeof(cause.text), "signal %d", sig);
	log_at(LOG_INFO, "hark-init received signal %d", sig);
	if (sig == SIGHUP) {
		reload_files(h);
		return;
	}
	/* as PID 1 SIGINT is Ctrl-Alt-Del, SIGPWR a failing power supply (signal(7), reboot(2)); as a session both mean "leave" */
	if (sig != SIGTERM && sig != SIGINT && sig != SIGPWR)
		return;
	if (run_shutdown(h,
			 sig == SIGPWR ? (int)LINUX_REBOOT_CMD_POWER_OFF
				       : (int)LINUX_REBOOT_CMD_RESTART,
			 0, &cause) < 0)
		log_at(LOG_ERROR, "cannot end in order");
}
