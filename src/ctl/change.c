/* SPDX-License-Identifier: MIT */
/* The verbs that change something without a job: signals, failed marks, unit files, the end of the system. */
#include "ctl/serve.h"

#include <fcntl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "activate/busname.h"
#include "activate/devices.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/final.h"
#include "core/kill.h"
#include "core/reexec.h"
#include "core/run.h"
#include "ctl/generate.h"
#include "ctl/live.h"
#include "units/value.h"

enum { LOOK_AGAIN_US = 10000 };

static void tell_note(struct call *c, const char *unit, const char *text)
{
	reply_row(&c->reply, "note");
	reply_text_z(&c->reply, "unit", unit);
	reply_text_z(&c->reply, "text", text);
	reply_row_end(&c->reply);
}

/* --- kill --- */

static unsigned kill_whom(struct call *c)
{
	static const char *const words[] = {NULL, "main", "control", "all"};
	const char *word = c->request.options[OPT_KILL_WHOM];
	unsigned whom = 3;

	if (word && value_enum(str_of(word), words, ARRAY_SIZE(words), &whom) < 0) {
		call_error(c, EXIT_USAGE, NULL, "--kill-whom takes main, control or all");
		return 0;
	}
	return whom;
}

int serve_kill(struct call *c)
{
	const char *word = c->request.options[OPT_SIGNAL];
	struct asked *asked = call_asked(c);
	unsigned whom = kill_whom(c);
	uint32_t step;
	int sig = 15;
	struct unit *u;
	int r;

	if (word && value_signal(str_of(word), &sig) < 0)
		call_error(c, EXIT_USAGE, NULL, "\"%s\" is not a signal", word);
	if (c->exit == EXIT_USAGE || c->at == c->request.args_n || !whom)
		return CALL_DONE;
	step = (uint32_t)c->at++;
	if (asked_was_performed(asked, step))
		return CALL_MORE;
	if (asked_is_unknown(asked, step)) {
		call_error(
			c, EXIT_FAILED, NULL,
			"the manager died as it signalled %s; whether that was done is not known",
			c->request.args[step]);
		asked_end_outside(asked, step);
		return CALL_MORE;
	}
	u = call_unit(c, c->request.args[step], EXIT_FAILED);
	if (!u)
		return CALL_MORE;
	asked_begin_outside(asked, step);
	r = kill_unit(c->h, u, whom, sig);
	asked_end_outside(asked, step);
	if (r == 0 || r == -ESRCH)
		call_refuse(c, EXIT_FAILED, u->name, "no-process", "%s has no process to signal",
			    u->name);
	else if (r < 0)
		call_error(c, EXIT_FAILED, u->name, "cannot signal %s: %s", u->name, strerror(-r));
	return CALL_MORE;
}

/* --- reset-failed --- */

static int reset_all(struct call *c)
{
	const struct registry *r = &c->h->reg;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->units[i] && unit_coarse(r->units[i]) == FAILED)
			engine_reset(&c->h->engine, r->units[i]);
	return CALL_DONE;
}

int serve_reset_failed(struct call *c)
{
	char name[UNIT_NAME_MAX + 1] = "";
	struct unit *u;

	if (c->request.args_n == 0)
		return reset_all(c);
	if (c->at == c->request.args_n)
		return CALL_DONE;
	u = call_known_unit(c, c->request.args[c->at++], name);
	if (u)
		engine_reset(&c->h->engine, u);
	else if (name[0])
		call_refuse(c, EXIT_FAILED, name, "not-found", "%s is not loaded", name);
	return CALL_MORE;
}

/* --- reload-config --- */

static void tell_reloaded(void *arg, struct unit *u, enum refresh how,
			  const struct unit_config *config)
{
	struct call *c = arg;

	switch (how) {
	case REFRESH_SAME:
		break;
	case REFRESH_DONE:
		tell_note(c, u->name, "read again");
		call_diags(c, u->name, config, DIAG_WARNING);
		break;
	case REFRESH_LATER:
		tell_note(c, u->name, "has changed; it is read when the unit rests");
		break;
	case REFRESH_HELD:
		tell_note(c, u->name, "has changed; it waits for the broken ones");
		break;
	case REFRESH_BROKEN:
		call_error(c, EXIT_NOT_CONFIGURED, u->name,
			   "the new files of %s are broken; the old settings stay in force",
			   u->name);
		call_diags(c, u->name, config, DIAG_WARNING);
		break;
	}
}

static void tell_followers(struct hark *h, enum manager_news news)
{
	if (h->on_news)
		h->on_news(h, news);
}

int serve_reload_config(struct call *c)
{
	int r;

	if (c->sub++ == 0) {
		tell_followers(c->h, NEWS_RELOADING);
		generate_begin(c->h, JOB_RESTART, NULL);
	}
	if (c->h->generate.is_going) {
		c->due_us = time_add(loop_now_us(&c->h->loop), LOOK_AGAIN_US);
		return CALL_WAIT;
	}
	r = environment_open(c->h);
	if (r == 0)
		r = live_reload(c->h, tell_reloaded, c);
	if (r < 0) {
		tell_followers(c->h, NEWS_RELOADED);
		call_error(c, EXIT_FAILED, NULL,
			   "cannot read the unit directories: %s; all is as before", strerror(-r));
	}
	return CALL_DONE;
}

/* --- bus names --- */

int serve_bus_names(struct call *c)
{
	for (unsigned i = 0; i < c->request.args_n; i++)
		busname_heard(c->h, str_of(c->request.args[i]));
	return CALL_DONE;
}

/* --- devices --- */

/* The end of this call is the end of the manager: then whoever asked tells the next one everything. */
static int wait_for_next_manager(struct call *c)
{
	if (c->sub++ > 0)
		return CALL_WAIT;
	reply_row(&c->reply, "ready");
	reply_row_end(&c->reply);
	return CALL_MORE;
}

int serve_devices(struct call *c)
{
	struct asked *asked = call_asked(c);
	const struct request *q = &c->request;
	uint32_t step = (uint32_t)c->sub;
	unsigned taken;

	if (q->args_n == 0)
		return wait_for_next_manager(c);
	if (c->at == q->args_n)
		return CALL_DONE;
	taken = devices_heard(c->h, q->args + c->at, q->args_n - (unsigned)c->at,
			      !asked_was_performed(asked, step));
	if (taken == 0) {
		call_error(c, EXIT_USAGE, NULL, "\"%s\" says nothing about a device",
			   q->args[c->at]);
		return CALL_DONE;
	}
	asked_end_outside(asked, step);
	c->sub++;
	c->at += taken;
	return CALL_MORE;
}

/* --- reexec --- */

/* The answer comes from the manager that took over: the connection breaks, and the client asks it again. */
static int tell_taken_over(struct call *c)
{
	const struct bank_table *t = c->h->bank.table;

	if (c->h->reexec.was_rolled_back) {
		call_error(
			c, EXIT_FAILED, NULL,
			"the program on disk died at once; the one before is back, and nothing is lost "
			"(harkctl crashes)");
		return CALL_DONE;
	}
	if (!c->h->reexec.is_content) {
		c->due_us = time_add(loop_now_us(&c->h->loop), LOOK_AGAIN_US);
		return CALL_WAIT;
	}
	reply_row(&c->reply, "note");
	reply_textf(&c->reply, "text", "the manager was replaced (life %u, process %d)",
		    t->generation, getpid());
	reply_row_end(&c->reply);
	return CALL_DONE;
}

static int tell_new_init(struct call *c)
{
	const struct bank_table *t = c->h->bank.table;

	if (t->reexec_err) {
		call_error(
			c, EXIT_FAILED, NULL,
			"the new hark-init did not come up: %s; the one before is back, and nothing is lost",
			strerror(-t->reexec_err));
		return CALL_DONE;
	}
	reply_row(&c->reply, "note");
	reply_textf(&c->reply, "text", "hark-init was replaced (life %u, process %d)", t->lives,
		    t->pid);
	reply_row_end(&c->reply);
	return CALL_DONE;
}

int serve_reexec(struct call *c)
{
	bool is_init = c->request.options[OPT_INIT];
	enum reexec_what what = is_init ? REEXEC_INIT : REEXEC_MANAGER;
	const struct bank_table *t = c->h->bank.table;
	const char *why = NULL;
	enum reexec state;
	int r = 0;

	if (!is_init && asked_was_performed(call_asked(c), 0))
		return tell_taken_over(c);
	if (c->sub++ == 0) {
		c->at = t->reexecs;
		r = reexec_begin(c->h, what);
	}
	if (is_init && t->reexecs != c->at)
		return tell_new_init(c);
	state = reexec_progress(c->h, what, &why);
	if (!r && state == REEXEC_NONE)
		r = -EBUSY;
	if (r < 0) {
		call_error(c, EXIT_FAILED, NULL,
			   "cannot test the program on disk: %s; nothing is changed", strerror(-r));
		return CALL_DONE;
	}
	if (state == REEXEC_REFUSED) {
		call_error(c, EXIT_FAILED, NULL,
			   "the program on disk is not taken: %s; nothing is changed", why);
		return CALL_DONE;
	}
	if (state == REEXEC_GOOD && !is_init) {
		asked_end_outside(call_asked(c), 0);
		reexec_go(c->h);
	}
	c->due_us = time_add(loop_now_us(&c->h->loop), LOOK_AGAIN_US);
	return CALL_WAIT;
}

/* --- the end --- */

static const struct {
	int command; /* reboot(2); -1: end with an exit status */
	const char *text;
} endings[VERBS] = {
	[VERB_POWEROFF] = {RB_POWER_OFF, "everything is stopped in order, then the power goes off"},
	[VERB_REBOOT] = {RB_AUTOBOOT,
			 "everything is stopped in order, then the system starts again"},
	[VERB_HALT] = {(int)RB_HALT_SYSTEM,
		       "everything is stopped in order, then the system halts"},
	[VERB_KEXEC] = {RB_KEXEC, "everything is stopped in order, then the loaded kernel runs"},
	[VERB_SOFT_REBOOT] = {FINAL_SOFT,
			      "everything is stopped in order, then hark-init begins anew"},
	[VERB_EXIT] = {-1, "everything is stopped in order, then hark-init ends"},
};

/* Where the kernel does not say, it has none: at the end it would be too late to notice. */
static bool is_kernel_loaded(void)
{
	char text[2] = "";
	AUTO_FD int fd = fd_open(AT_FDCWD, "/sys/kernel/kexec_loaded", O_RDONLY, 0);

	return fd >= 0 && fd_read(fd, text, 1) == 1 && text[0] == '1';
}

int serve_power(struct call *c)
{
	enum verb_id id = c->request.verb->id;
	/* Where hark-init is not PID 1 the machine is not ours to switch. */
	int command = c->h->is_pid1 ? endings[id].command : -1;
	struct cause cause = call_cause(c);
	uint64_t status = (uint64_t)c->h->exit_code;
	int r;

	cause.kind = CAUSE_SHUTDOWN;
	if (c->request.args_n &&
	    (str_to_u64(str_of(c->request.args[0]), &status) < 0 || status > 255)) {
		call_error(c, EXIT_USAGE, NULL, "an exit status is a number from 0 to 255");
		return CALL_DONE;
	}
	if (command == RB_KEXEC && !is_kernel_loaded()) {
		call_error(c, EXIT_FAILED, NULL,
			   "no kernel is loaded to be run: kexec -l loads one");
		return CALL_DONE;
	}
	if (id == VERB_SOFT_REBOOT && !c->h->is_pid1) {
		call_error(c, EXIT_FAILED, NULL, "only the first process can begin anew");
		return CALL_DONE;
	}
	r = run_shutdown(c->h, command, (int)status, &cause);
	if (r < 0)
		call_error(c, EXIT_FAILED, NULL, "cannot begin to shut down: %s", strerror(-r));
	else
		tell_note(c, NULL, command < 0 ? endings[VERB_EXIT].text : endings[id].text);
	return CALL_DONE;
}
