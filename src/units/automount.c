/* SPDX-License-Identifier: MIT */
#include "units/automount.h"

#include <stdio.h>
#include <sys/wait.h>

#include "core/job.h"
#include "core/mem.h"
#include "units/mount_unit.h"
#include "units/probe.h"

/* clang-format off */
#define EVENT_LIST(EVENT) \
	EVENT(START, "start") EVENT(STOP, "stop") EVENT(RESET, "reset") EVENT(LIMIT, "start-limit") \
	EVENT(ARMED, "armed") EVENT(ARM_FAIL, "arm-fail") EVENT(LAID, "laid") EVENT(ACCESS, "access") EVENT(IDLE, "idle") \
	EVENT(UP, "mounted") EVENT(REST, "mount-rests") EVENT(ASKED, "asked") EVENT(TIMEOUT, "timeout")
/* clang-format on */
enum automount_event {
#define EVENT(name, word) AE_##name,
	EVENT_LIST(EVENT)
#undef EVENT
		AE_EVENTS
};

static const char *const event_words[AE_EVENTS] = {
#define EVENT(name, word) word,
	EVENT_LIST(EVENT)
#undef EVENT
};

const char *const automount_result_names[AUTOMOUNT_RESULTS] = {
#define RESULT(name, word) word,
	AUTOMOUNT_RESULTS_LIST(RESULT)
#undef RESULT
};

enum {
	TIMEOUT_NONE,
	TIMEOUT_ARM,
	TIMEOUT_LAY,
	TIMEOUT_ANSWER,
	TIMEOUT_IDLE,
	TIMEOUT_ASK,
	TIMEOUT_REMOVE
};

static const struct fsm_state states[AUTO_STATES] = {
	[AUTO_DEAD] = {"dead", INACTIVE, ACMD_NONE, TIMEOUT_NONE, false},
	[AUTO_ARMING] = {"arming", ACTIVATING, ACMD_NONE, TIMEOUT_ARM, false},
	[AUTO_LAYING] = {"laying", ACTIVATING, ACMD_LAY, TIMEOUT_LAY, false},
	[AUTO_ABANDONING] = {"abandoning", DEACTIVATING, ACMD_NONE, TIMEOUT_ARM, false},
	[AUTO_REMOVING] = {"removing", DEACTIVATING, ACMD_REMOVE, TIMEOUT_REMOVE, false},
	[AUTO_WAITING] = {"waiting", ACTIVE, ACMD_NONE, TIMEOUT_NONE, false},
	[AUTO_MOUNTING] = {"mounting", ACTIVE, ACMD_NONE, TIMEOUT_ANSWER, false},
	[AUTO_RUNNING] = {"running", ACTIVE, ACMD_NONE, TIMEOUT_IDLE, false},
	[AUTO_LEAVING] = {"leaving", ACTIVE, ACMD_NONE, TIMEOUT_ANSWER, false},
	[AUTO_ASKING] = {"asking", ACTIVE, ACMD_EXPIRE, TIMEOUT_ASK, false},
	[AUTO_EXPIRING] = {"expiring", ACTIVE, ACMD_NONE, TIMEOUT_ANSWER, false},
	[AUTO_FAILED] = {"failed", FAILED, ACMD_NONE, TIMEOUT_NONE, false},
};

/*
 * How to read it: as in service.c. WATCH answers the request at the head of the pipe, if what is mounted or what became of the mount
 * unit says how, and goes on listening; what it cannot answer comes back as ACCESS or IDLE. So each state that somebody may wait in
 * is left by the mount unit or, at last, by its timeout, and always with WATCH, which refuses them on the way out.
 */
#define GO(state, effects)                              \
	{                                               \
		.go = AUTO_##state + 1, .fx = (effects) \
	}
#define GONE (FX_DISARM | FX_DROP | FX_FORGET)
#define STOP_IT GO(ABANDONING, FX_KILL_CONTROL | FX_WATCH)
#define REMOVE GO(REMOVING, FX_SPAWN_CONTROL | FX_WATCH)

/* clang-format off */
static const struct fsm_cell cells[AUTO_STATES][AE_EVENTS] = {
	[AUTO_DEAD] = {
		[AE_START] = GO(ARMING, FX_ARM),
		[AE_LIMIT] = GO(FAILED, 0),
	},
	[AUTO_FAILED] = {
		[AE_START] = GO(ARMING, FX_ARM),
		[AE_RESET] = GO(DEAD, 0),
		[AE_LIMIT] = GO(FAILED, 0),
	},
	[AUTO_ARMING] = {
		[AE_ARMED]    = GO(LAYING, FX_SPAWN_CONTROL),
		[AE_ARM_FAIL] = GO(FAILED, GONE),
		[AE_TIMEOUT]  = GO(FAILED, GONE),
		[AE_STOP]     = GO(DEAD, GONE),
	},
	[AUTO_LAYING] = {
		[AE_LAID]     = GO(WAITING, FX_WATCH),
		[AE_ASKED]    = GO(FAILED, GONE),
		[AE_TIMEOUT]  = GO(FAILED, FX_KILL_CONTROL | GONE),
		[AE_ARM_FAIL] = GO(FAILED, FX_KILL_CONTROL | GONE),
		[AE_STOP]     = STOP_IT,
	},
	[AUTO_ABANDONING] = {
		[AE_LAID]     = REMOVE,
		[AE_ASKED]    = REMOVE,
		[AE_TIMEOUT]  = GO(DEAD, GONE),
		[AE_ARM_FAIL] = GO(FAILED, GONE),
	},
	[AUTO_REMOVING] = {
		[AE_ASKED]    = GO(DEAD, GONE),
		[AE_TIMEOUT]  = GO(DEAD, FX_KILL_CONTROL | GONE),
		[AE_ARM_FAIL] = GO(FAILED, FX_KILL_CONTROL | GONE),
	},
	[AUTO_WAITING] = {
		[AE_ACCESS]   = GO(MOUNTING, FX_ACTIVATE),
		[AE_UP]       = GO(RUNNING, FX_WATCH),
		[AE_REST]     = GO(WAITING, FX_WATCH),
		[AE_ARM_FAIL] = GO(FAILED, GONE),
		[AE_STOP]     = STOP_IT,
	},
	[AUTO_MOUNTING] = {
		[AE_UP]       = GO(RUNNING, FX_WATCH),
		[AE_REST]     = GO(WAITING, FX_WATCH),
		[AE_TIMEOUT]  = GO(WAITING, FX_WATCH),
		[AE_ARM_FAIL] = GO(FAILED, GONE),
		[AE_STOP]     = STOP_IT,
	},
	[AUTO_RUNNING] = {
		[AE_REST]     = GO(WAITING, FX_WATCH),
		[AE_ACCESS]   = GO(LEAVING, 0),
		[AE_TIMEOUT]  = GO(ASKING, FX_SPAWN_CONTROL),
		[AE_ARM_FAIL] = GO(FAILED, GONE),
		[AE_STOP]     = STOP_IT,
	},
	[AUTO_LEAVING] = {
		[AE_REST]     = GO(WAITING, FX_WATCH),
		[AE_UP]       = GO(RUNNING, FX_WATCH),
		[AE_TIMEOUT]  = GO(WAITING, FX_WATCH),
		[AE_ARM_FAIL] = GO(FAILED, GONE),
		[AE_STOP]     = STOP_IT,
	},
	[AUTO_ASKING] = {
		[AE_IDLE]     = GO(EXPIRING, FX_DEACTIVATE),
		[AE_ASKED]    = GO(RUNNING, FX_WATCH),
		[AE_REST]     = GO(WAITING, FX_WATCH),
		[AE_ACCESS]   = GO(LEAVING, FX_KILL_CONTROL),
		[AE_TIMEOUT]  = GO(RUNNING, FX_KILL_CONTROL | FX_WATCH),
		[AE_ARM_FAIL] = GO(FAILED, FX_KILL_CONTROL | GONE),
		[AE_STOP]     = STOP_IT,
	},
	[AUTO_EXPIRING] = {
		[AE_REST]     = GO(WAITING, FX_WATCH),
		[AE_UP]       = GO(RUNNING, FX_WATCH),
		[AE_TIMEOUT]  = GO(RUNNING, FX_KILL_CONTROL | FX_WATCH),
		[AE_ARM_FAIL] = GO(FAILED, FX_KILL_CONTROL | GONE),
		[AE_STOP]     = STOP_IT,
	},
};
/* clang-format on */

const struct fsm automount_fsm = {
	.type = "automount",
	.states_n = AUTO_STATES,
	.events_n = AE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

struct unit *automount_mount(const struct automount_unit *a)
{
	for (uint32_t i = 0; i < a->unit.edges_n; i++)
		if (a->unit.edges[i].type == DEP_TRIGGERS)
			return registry_unit(a->reg, a->unit.edges[i].to);
	return NULL;
}

/* --- what those who wait are told --- */

static bool ended_by(const struct unit *u, const char *result)
{
	return u->ops->result && strcmp(u->ops->result(u), result) == 0;
}

/* The unit that the mount needs and that is not there. */
static int errno_of_dependency(const struct registry *reg, const struct unit *mount)
{
	for (uint32_t i = 0; i < mount->edges_n; i++) {
		const struct edge *e = &mount->edges[i];
		const struct unit *v = registry_unit(reg, e->to);

		if ((e->type != DEP_REQUIRES && e->type != DEP_BINDS_TO &&
		     e->type != DEP_REQUISITE) ||
		    unit_is_active(v))
			continue;
		if (v->type == UNIT_DEVICE)
			return ENODEV;
		if (v->last_job_result == JOB_RES_TIMEOUT || ended_by(v, "timeout"))
			return ETIMEDOUT;
	}
	return EIO; /* fsck says no */
}

/* mount.nfs and its like tell nobody the number of an error, but all of them say its words. 0: none is known in them. */
static int errno_of_words(const char *words)
{
	static const struct {
		const char *words;
		int err;
	} own[] = {{"access denied", EACCES}, /* by the server, mount.nfs(8) */
		   {"Name or service not known", EHOSTUNREACH},
		   {"name resolution", EHOSTUNREACH}};
	enum { ERRNO_MOST = 133 };
	size_t last = 0, longest = 0;
	int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strstr(words, own[i].words))
			return own[i].err;
	/* What is said last is the reason; of two that begin alike the longer one is meant. */
	for (int err = 1; err <= ERRNO_MOST; err++) {
		const char *said = strerror(err), *at = strstr(words, said);
		size_t where = at ? (size_t)(at - words) : 0, n = strlen(said);

		if (at && (!found || where > last || (where == last && n > longest))) {
			found = err;
			last = where;
			longest = n;
		}
	}
	return found;
}

/* The kernel's own word, when it was the mount itself that failed; else what a helper said. */
static int errno_of_mount(const struct unit *mount)
{
	const struct mount_unit *m = container_of(mount, const struct mount_unit, unit);
	int err;

	if (ended_by(mount, "timeout"))
		return ETIMEDOUT;
	if (ended_by(mount, "exit-code") && m->control.status > MOUNT_EXIT_ERRNO)
		return m->control.status - MOUNT_EXIT_ERRNO;
	err = m->fail_text ? errno_of_words(m->fail_text) : 0;
	return err ? err : ENODEV;
}

int automount_errno(const struct registry *reg, const struct unit *mount)
{
	if (unit_load_state(mount) != LOAD_LOADED)
		return ENOENT;
	switch ((enum job_result)mount->last_job_result) {
	case JOB_RES_DEPENDENCY:
		return errno_of_dependency(reg, mount);
	case JOB_RES_TIMEOUT:
		return ETIMEDOUT;
	case JOB_RES_CANCELED:
		return ECANCELED;
	case JOB_RES_SKIPPED:
	case JOB_RES_INVALID:
	case JOB_RES_ASSERT:
	case JOB_RES_UNSUPPORTED:
		return ENOENT;
	case JOB_RES_DONE:
	case JOB_RES_FAILED:
	case JOB_RESULTS:
		break;
	}
	return errno_of_mount(mount);
}

void automount_hold_again(struct automount_unit *a, uint32_t failures, uint64_t until_us)
{
	a->failures = failures;
	a->hold_until_us = until_us;
	a->unit.status_note = failures ? "its mount failed when it was wanted last: who comes soon "
					 "after that is refused"
				       : NULL;
}

void automount_hold(struct automount_unit *a, uint64_t now_us)
{
	enum { DOUBLINGS = 6 }; /* 1, 2, 4 ... 64 s */
	uint32_t n = a->failures < DOUBLINGS ? a->failures : DOUBLINGS;

	automount_hold_again(a, a->failures + 1, now_us + (US_PER_SEC << n));
}

static void forget_failures(struct automount_unit *a)
{
	automount_hold_again(a, 0, 0);
}

/* --- events --- */

/* A start of it is on its way: what it rests from is not the end of that. */
static bool is_to_start(const struct unit *u)
{
	return job_pending(u) == JOB_START;
}

static int on_alive(struct automount_unit *a, const struct event *e)
{
	if (!e->a)
		return -1;
	forget_failures(a);
	return AE_UP;
}

static int on_rest(struct automount_unit *a, const struct event *e)
{
	const struct unit *mount = automount_mount(a);

	a->let_in = 0;
	if (!mount || a->unit.state != AUTO_MOUNTING)
		return AE_REST;
	if (!e->a && is_to_start(mount))
		return -1;
	a->err = automount_errno(a->reg, mount);
	return AE_REST;
}

/* A unit that cannot be without the mount would be stopped with it. */
static bool is_needed(const struct automount_unit *a)
{
	const struct unit *mount = automount_mount(a);

	for (uint32_t i = 0; mount && i < mount->edges_n; i++) {
		enum dep_type t = (enum dep_type)mount->edges[i].type;
		const struct unit *v = registry_unit(a->reg, mount->edges[i].to);

		if ((t == DEP_REQUIRED_BY || t == DEP_BOUND_BY || t == DEP_REQUISITE_OF) &&
		    (!unit_is_at_rest(v) || is_to_start(v)))
			return true;
	}
	return false;
}

static int on_request(struct automount_unit *a, const struct event *e)
{
	if (e->b)
		return is_needed(a) ? AE_ASKED
				    : AE_IDLE; /* who needs it may have come since it was asked */
	if (a->unit.state == AUTO_WAITING || a->unit.state == AUTO_RUNNING ||
	    a->unit.state == AUTO_ASKING) {
		a->token = (uint32_t)e->a;
		a->err = 0;
	}
	return AE_ACCESS;
}

/* Somewhere on its way a file system does not answer. */
static void note_unlaid(struct automount_unit *a)
{
	static const char words[] = "no mount point can be made: the path to it does not answer";

	a->result = ARES_RESOURCES;
	mem_put((void *)(uintptr_t)a->fail_text);
	a->fail_text = mem_dup(words, sizeof(words) - 1); /* NULL: only the words are lost */
}

static int on_timeout(struct automount_unit *a)
{
	if (a->unit.state == AUTO_LAYING)
		note_unlaid(a);
	if (a->unit.state == AUTO_MOUNTING || a->unit.state == AUTO_LEAVING)
		a->err = ETIMEDOUT;
	return AE_TIMEOUT;
}

static int after_laying(struct automount_unit *a)
{
	bool is_laid = a->control.code == CLD_EXITED && a->control.status == 0;

	if (!is_laid)
		a->result = ARES_RESOURCES;
	return is_laid ? AE_LAID : AE_ASKED;
}

static int on_exited(struct automount_unit *a, const struct event *e)
{
	if (e->c != ROLE_CONTROL)
		return -1;
	a->control.slot = 0;
	a->control.code = (int32_t)e->a;
	a->control.status = (int32_t)e->b;
	return a->unit.state == AUTO_LAYING ? after_laying(a) : AE_ASKED;
}

static int on_arm_failed(struct automount_unit *a)
{
	a->result = automount_is_armed(&a->unit) ? ARES_UNMOUNTED : ARES_RESOURCES;
	return AE_ARM_FAIL;
}

static int classify(struct unit *u, const struct event *e)
{
	struct automount_unit *a = automount_of(u);

	switch ((enum event_kind)e->kind) {
	case EV_START:
		a->result = ARES_SUCCESS;
		forget_failures(a);
		return AE_START;
	case EV_STOP:
		return AE_STOP;
	case EV_RESET:
		return AE_RESET;
	case EV_START_LIMIT:
		a->result = ARES_START_LIMIT;
		return AE_LIMIT;
	case EV_ARMED:
		return AE_ARMED;
	case EV_ARM_FAILED:
		return on_arm_failed(a);
	case EV_TRIGGER:
		return on_request(a, e);
	case EV_TRIGGERED_ALIVE:
		return on_alive(a, e);
	case EV_TRIGGERED_DEAD:
		return on_rest(a, e);
	case EV_TIMEOUT:
		return on_timeout(a);
	case EV_EXITED:
		return on_exited(a, e);
	case EV_SPAWN_FAILED:
		a->control.slot = 0;
		if (a->unit.state == AUTO_LAYING)
			a->result = ARES_RESOURCES;
		return AE_ASKED;
	case EV_NOTHING: /* a unit that runs needs it: it is not asked */
		return AE_ASKED;
	case EV_NONE:
	case EV_ASK:
	case EV_RELOAD:
	case EV_SPAWNED:
	case EV_EXECED:
	case EV_READY:
	case EV_RELOADING:
	case EV_STOPPING:
	case EV_MAIN_PID:
	case EV_EXTEND:
	case EV_EMPTY:
	case EV_WATCHDOG:
	case EV_NAME_OWNED:
	case EV_NAME_LOST:
	case EV_MOUNTED:
	case EV_UNMOUNTED:
	case EV_ABANDON:
	case EV_DEVICE:
	case EVENT_KINDS:
		break;
	}
	return -1;
}

static enum event_kind entered(struct unit *u)
{
	const struct automount_unit *a = automount_of(u);
	bool has_nothing = (u->state == AUTO_ASKING && (a->control.slot || is_needed(a))) ||
			   (u->state == AUTO_ABANDONING && !a->control.slot);

	return has_nothing ? EV_NOTHING : EV_NONE;
}

static const char *result_word(const struct unit *u)
{
	return automount_result_names[container_of(u, const struct automount_unit, unit)->result];
}

static void reset(struct unit *u)
{
	automount_of(u)->result = ARES_SUCCESS;
	forget_failures(automount_of(u));
}

/*
 * Who waits for a mount waits as long as it, or a device that it needs, may take. A check of the file system may take longer: it goes
 * on, and whoever comes again waits again.
 */
static uint64_t answer_us(const struct automount_unit *a)
{
	const uint64_t usual_us = 90 * US_PER_SEC;
	const struct unit *mount = automount_mount(a);
	uint64_t own_us = mount && mount->config && mount->config->own->mount
				  ? mount->config->own->mount->timeout_us
				  : usual_us;

	return usual_us + (own_us == TIME_NEVER ? usual_us : own_us);
}

static uint64_t timeout_us(const struct unit *u, uint8_t which)
{
	const struct automount_unit *a = container_of(u, const struct automount_unit, unit);
	uint64_t idle_us = u->config->own->automount->idle_us;

	switch (which) {
	case TIMEOUT_ARM:
	case TIMEOUT_ASK:
		return 10 * US_PER_SEC;
	case TIMEOUT_REMOVE: /* what is mounted may have to be written back */
		return 90 * US_PER_SEC;
	case TIMEOUT_LAY: /* much for a machine that is short of time, little for a boot that waits for a server */
		return 30 * US_PER_SEC;
	case TIMEOUT_ANSWER:
		return answer_us(a);
	case TIMEOUT_IDLE: /* how often it is asked */
		return !idle_us || idle_us == TIME_NEVER ? TIME_NEVER
		       : idle_us < 3 * US_PER_SEC        ? US_PER_SEC
							 : idle_us / 3;
	default:
		return TIME_NEVER;
	}
}

/* The kernel has it and this /dev has not: a container where mounting is not ours. Without either it may be a module, so mounting is tried. */
static int can_start(struct unit *u UNUSED)
{
	return probe_exists("/sys/class/misc/autofs") && !probe_exists("/dev/autofs")
		       ? JOB_RES_UNSUPPORTED
		       : 0;
}

static void fini(struct unit *u)
{
	mem_put((void *)(uintptr_t)automount_of(u)->fail_text);
}

const struct unit_type_ops automount_ops = {
	.type = UNIT_AUTOMOUNT,
	.object_size = sizeof(struct automount_unit),
	.fsm = &automount_fsm,
	.classify = classify,
	.entered = entered,
	.can_start = can_start,
	.hears_up = true,
	.result = result_word,
	.reset = reset,
	.timeout_us = timeout_us,
	.fini = fini,
};

int automount_prepare(struct unit_config *c, const char *program)
{
	const struct automount_config *a = c->own->automount;
	const char *mode = mount_mode(c, a->directory_mode);
	struct command *lay, *expire, *removal;

	if (!a->where)
		return 0;
	lay = mount_command(c, ACMD_LAY, program,
			    (const char *[MOUNT_WORDS]){"lay", a->where, mode});
	expire = mount_command(c, ACMD_EXPIRE, program, (const char *[MOUNT_WORDS]){"expire"});
	removal = mount_command(c, ACMD_REMOVE, program, (const char *[MOUNT_WORDS]){"remove"});
	if (!mode || !lay || !expire || !removal)
		return -ENOMEM;
	lay->full_privileges = expire->full_privileges = removal->full_privileges = true;
	return 0;
}
