/* SPDX-License-Identifier: MIT */
#include "units/mount_unit.h"

#include <stdio.h>
#include <sys/wait.h>

/* clang-format off */
#define EVENT_LIST(EVENT) \
	EVENT(START, "start") EVENT(STOP, "stop") EVENT(RELOAD, "reload") EVENT(RESET, "reset") \
	EVENT(LIMIT, "start-limit") EVENT(CTL_OK, "control-ok") EVENT(CTL_FAIL, "control-fail") \
	EVENT(TIMEOUT, "timeout") EVENT(EMPTY, "empty") EVENT(APPEARED, "mounted") \
	EVENT(GONE, "unmounted") EVENT(IS_THERE, "is-there") EVENT(IS_NOT, "is-not-there") \
	EVENT(IS_FAILED, "is-failed")
/* clang-format on */
enum mount_event {
#define EVENT(name, word) ME_##name,
	EVENT_LIST(EVENT)
#undef EVENT
		ME_EVENTS
};

static const char *const event_words[ME_EVENTS] = {
#define EVENT(name, word) word,
	EVENT_LIST(EVENT)
#undef EVENT
};

static const char *const result_words[MOUNT_RESULTS] = {
#define RESULT(name, word) word,
	MOUNT_RESULTS_LIST(RESULT)
#undef RESULT
};

enum { TIMEOUT_NONE, TIMEOUT_COMMAND };

/* clang-format off */
/* STATE(name, word of a mount, word of a swap, coarse, commands, timeout) */
#define STATE_LIST(STATE) \
	STATE(DEAD, "dead", "dead", INACTIVE, MCMD_NONE, TIMEOUT_NONE) \
	STATE(MOUNTING, "mounting", "activating", ACTIVATING, MCMD_MOUNT, TIMEOUT_COMMAND) \
	STATE(MOUNTED, "mounted", "active", ACTIVE, MCMD_NONE, TIMEOUT_NONE) \
	STATE(REMOUNTING, "remounting", "reactivating", RELOADING, MCMD_REMOUNT, TIMEOUT_COMMAND) \
	STATE(UNMOUNTING, "unmounting", "deactivating", DEACTIVATING, MCMD_UNMOUNT, TIMEOUT_COMMAND) \
	STATE(MOUNTING_SIGTERM, "mounting-sigterm", "activating-sigterm", DEACTIVATING, MCMD_NONE, TIMEOUT_COMMAND) \
	STATE(MOUNTING_SIGKILL, "mounting-sigkill", "activating-sigkill", DEACTIVATING, MCMD_NONE, TIMEOUT_COMMAND) \
	STATE(UNMOUNTING_SIGTERM, "unmounting-sigterm", "deactivating-sigterm", DEACTIVATING, MCMD_NONE, TIMEOUT_COMMAND) \
	STATE(UNMOUNTING_SIGKILL, "unmounting-sigkill", "deactivating-sigkill", DEACTIVATING, MCMD_NONE, TIMEOUT_COMMAND) \
	STATE(ENDED, "ended", "ended", DEACTIVATING, MCMD_NONE, TIMEOUT_NONE) \
	STATE(FAILED, "failed", "failed", FAILED, MCMD_NONE, TIMEOUT_NONE)
/* clang-format on */

static const struct fsm_state mount_states[MNT_STATES] = {
#define STATE(name, mount, swap, coarse, commands, timeout) \
	[MNT_##name] = {mount, coarse, commands, timeout, false},
	STATE_LIST(STATE)
#undef STATE
};

static const struct fsm_state swap_states[MNT_STATES] = {
#define STATE(name, mount, swap, coarse, commands, timeout) \
	[MNT_##name] = {swap, coarse, commands, timeout, false},
	STATE_LIST(STATE)
#undef STATE
};

/*
 * How to read it: as in service.c. When a process has ended, ended asks what the kernel says: a mount that is there is mounted, however its process
 * fared; one that is not is dead or failed. What appears or goes without us moves the unit as well.
 */
#define GO(state, effects)                             \
	{                                              \
		.go = MNT_##state + 1, .fx = (effects) \
	}
#define RUN FX_SPAWN_CONTROL

/* clang-format off */
static const struct fsm_cell cells[MNT_STATES][ME_EVENTS] = {
	[MNT_DEAD] = {
		[ME_START]    = GO(MOUNTING, RUN),
		[ME_APPEARED] = GO(MOUNTED, 0),
		[ME_LIMIT]    = GO(FAILED, 0),
	},
	[MNT_FAILED] = {
		[ME_START]    = GO(MOUNTING, RUN),
		[ME_APPEARED] = GO(MOUNTED, 0),
		[ME_RESET]    = GO(DEAD, 0),
		[ME_LIMIT]    = GO(FAILED, 0),
	},
	[MNT_MOUNTING] = {
		[ME_CTL_OK]   = GO(MOUNTED, 0),
		[ME_CTL_FAIL] = GO(ENDED, 0),
		[ME_STOP]     = GO(MOUNTING_SIGTERM, FX_KILL_TERM),
		[ME_TIMEOUT]  = GO(MOUNTING_SIGTERM, FX_KILL_TERM),
	},
	[MNT_MOUNTED] = {
		[ME_STOP]   = GO(UNMOUNTING, RUN),
		[ME_RELOAD] = GO(REMOUNTING, RUN),
		[ME_GONE]   = GO(DEAD, FX_FORGET),
	},
	[MNT_REMOUNTING] = {
		[ME_CTL_OK]   = GO(MOUNTED, 0),
		[ME_CTL_FAIL] = GO(MOUNTED, 0),
		[ME_TIMEOUT]  = GO(MOUNTED, FX_KILL_CONTROL),
		[ME_STOP]     = GO(UNMOUNTING_SIGTERM, FX_KILL_TERM),
	},
	[MNT_UNMOUNTING] = {
		[ME_CTL_OK]   = GO(DEAD, FX_FORGET),
		[ME_CTL_FAIL] = GO(ENDED, 0),
		[ME_TIMEOUT]  = GO(UNMOUNTING_SIGTERM, FX_KILL_TERM),
	},
	[MNT_MOUNTING_SIGTERM] = {
		[ME_EMPTY]   = GO(ENDED, 0),
		[ME_TIMEOUT] = GO(MOUNTING_SIGKILL, FX_KILL_ALL),
	},
	[MNT_MOUNTING_SIGKILL] = {
		[ME_EMPTY]   = GO(ENDED, 0),
		[ME_TIMEOUT] = GO(ENDED, 0),
	},
	[MNT_UNMOUNTING_SIGTERM] = {
		[ME_EMPTY]   = GO(ENDED, 0),
		[ME_TIMEOUT] = GO(UNMOUNTING_SIGKILL, FX_KILL_ALL),
	},
	[MNT_UNMOUNTING_SIGKILL] = {
		[ME_EMPTY]   = GO(ENDED, 0),
		[ME_TIMEOUT] = GO(ENDED, 0),
	},
	[MNT_ENDED] = {
		[ME_IS_THERE]  = GO(MOUNTED, 0),
		[ME_IS_NOT]    = GO(DEAD, FX_FORGET),
		[ME_IS_FAILED] = GO(FAILED, FX_FORGET),
	},
};
/* clang-format on */

#define MACHINE(type_name, its_states)                                                \
	{                                                                             \
		.type = (type_name), .states_n = MNT_STATES, .events_n = ME_EVENTS,   \
		.states = (its_states), .events = event_words, .cells = &cells[0][0], \
	}
const struct fsm mount_fsm = MACHINE("mount", mount_states);
const struct fsm swap_fsm = MACHINE("swap", swap_states);

static void note_result(struct mount_unit *m, enum mount_result r)
{
	if (m->result == MRES_SUCCESS)
		m->result = (uint8_t)r;
}

static bool is_killing(uint8_t state)
{
	return state >= MNT_MOUNTING_SIGTERM && state <= MNT_UNMOUNTING_SIGKILL;
}

static int on_exited(struct mount_unit *m, const struct event *e)
{
	bool is_good = e->a == CLD_EXITED && e->b == 0;

	if (e->c != ROLE_CONTROL)
		return -1;
	m->control.slot = 0;
	m->control.code = (int32_t)e->a;
	m->control.status = (int32_t)e->b;
	if (is_killing(m->unit.state))
		return -1; /* a helper of hark-mount may be left: EV_EMPTY tells */
	m->remounts_n += is_good && m->unit.state == MNT_REMOUNTING;
	if (is_good)
		return ME_CTL_OK;
	note_result(m, e->a == CLD_EXITED   ? MRES_EXIT_CODE
		       : e->a == CLD_DUMPED ? MRES_CORE_DUMP
					    : MRES_SIGNAL);
	return ME_CTL_FAIL;
}

static int on_mounted(struct mount_unit *m, bool is_mounted)
{
	m->is_mounted = is_mounted;
	return is_mounted ? ME_APPEARED : ME_GONE;
}

/* The end of a process, or nothing to kill. */
static int on_nothing(const struct mount_unit *m)
{
	if (m->unit.state != MNT_ENDED)
		return ME_EMPTY;
	return m->is_mounted ? ME_IS_THERE : m->result == MRES_SUCCESS ? ME_IS_NOT : ME_IS_FAILED;
}

static int classify(struct unit *u, const struct event *e)
{
	struct mount_unit *m = mount_of(u);

	switch ((enum event_kind)e->kind) {
	case EV_START:
		m->result = MRES_SUCCESS;
		return ME_START;
	case EV_STOP:
		m->result = MRES_SUCCESS;
		return ME_STOP;
	case EV_RELOAD:
		m->result = MRES_SUCCESS;
		return ME_RELOAD;
	case EV_RESET:
		return ME_RESET;
	case EV_START_LIMIT:
		m->result = MRES_START_LIMIT;
		return ME_LIMIT;
	case EV_EXITED:
		return on_exited(m, e);
	case EV_SPAWN_FAILED:
		m->control.slot = 0;
		note_result(m, MRES_RESOURCES);
		return ME_CTL_FAIL;
	case EV_EMPTY:
		return is_killing(u->state) && !m->control.slot ? ME_EMPTY : -1;
	case EV_TIMEOUT:
		note_result(m, MRES_TIMEOUT);
		return ME_TIMEOUT;
	case EV_MOUNTED:
		return on_mounted(m, true);
	case EV_UNMOUNTED:
		return on_mounted(m, false);
	case EV_NOTHING:
		return on_nothing(m);
	case EV_NONE:
	case EV_ASK:
	case EV_SPAWNED:
	case EV_EXECED:
	case EV_READY:
	case EV_NAME_OWNED:
	case EV_ABANDON:
	case EV_RELOADING:
	case EV_STOPPING:
	case EV_MAIN_PID:
	case EV_EXTEND:
	case EV_WATCHDOG:
	case EV_ARMED:
	case EV_ARM_FAILED:
	case EV_TRIGGER:
	case EV_TRIGGERED_ALIVE:
	case EV_TRIGGERED_DEAD:
	case EV_DEVICE:
	case EV_NAME_LOST:
	case EVENT_KINDS:
		break;
	}
	return -1;
}

/* A state that only asks for the end of what is not there passes at once; what SIGKILL has reached tells by EV_EMPTY. */
static enum event_kind entered(struct unit *u)
{
	bool asks = u->state == MNT_MOUNTING_SIGTERM || u->state == MNT_UNMOUNTING_SIGTERM;
	bool has_nothing = u->state == MNT_ENDED || (asks && !mount_of(u)->control.slot);

	return has_nothing ? EV_NOTHING : EV_NONE;
}

/* Without a file there is nothing to do; that somebody did it is all that is known. */
static int can_start(struct unit *u)
{
	return command_first(u->config, MCMD_MOUNT) ? 0 : JOB_RES_UNSUPPORTED;
}

static bool can_reload(const struct unit *u)
{
	return u->config && command_first(u->config, MCMD_REMOUNT);
}

static bool reload_failed(const struct unit *u)
{
	return container_of(u, const struct mount_unit, unit)->result != MRES_SUCCESS;
}

static const char *result_word(const struct unit *u)
{
	return result_words[container_of(u, const struct mount_unit, unit)->result];
}

static void reset(struct unit *u)
{
	mount_of(u)->result = MRES_SUCCESS;
}

static uint64_t timeout_us(const struct unit *u, uint8_t which)
{
	if (which != TIMEOUT_COMMAND)
		return TIME_NEVER;
	return u->type == UNIT_MOUNT ? u->config->own->mount->timeout_us
				     : u->config->own->swap->timeout_us;
}

static void fini(struct unit *u)
{
	mem_put((void *)(uintptr_t)mount_of(u)->fail_text);
}

#define OPS(unit_type, machine)                                                                   \
	{                                                                                         \
		.type = (unit_type), .object_size = sizeof(struct mount_unit), .fsm = &(machine), \
		.classify = classify, .entered = entered, .can_start = can_start,                 \
		.can_reload = can_reload, .reload_failed = reload_failed, .result = result_word,  \
		.reset = reset, .timeout_us = timeout_us, .fini = fini,                           \
	}
const struct unit_type_ops mount_ops = OPS(UNIT_MOUNT, mount_fsm);
const struct unit_type_ops swap_ops = OPS(UNIT_SWAP, swap_fsm);

/* --- the commands --- */

struct command *mount_command(struct unit_config *c, unsigned list, const char *program,
			      const char *const words[MOUNT_WORDS])
{
	struct command *cmd = arena_get(&c->arena, sizeof(*cmd));
	uint32_t n = 0;

	if (cmd)
		cmd->argv = arena_get(&c->arena, (MOUNT_WORDS + 2) * sizeof(*cmd->argv));
	if (!cmd || !cmd->argv)
		return NULL;
	cmd->list = (uint8_t)list;
	cmd->behind = c->commands;
	c->commands = cmd;
	cmd->path = program;
	cmd->argv[n++] = "hark-mount";
	for (; words[n - 1]; n++)
		cmd->argv[n] = words[n - 1];
	cmd->argc = n;
	cmd->no_env_expand = true; /* a "$" in a path is a "$" */
	return cmd;
}

const char *mount_mode(struct unit_config *c, uint32_t mode)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%04o", mode & 07777);

	return arena_dup(&c->arena, text, (size_t)n);
}

static int prepare_swap(struct unit_config *c, const char *program)
{
	const struct swap_config *w = c->own->swap;
	char *priority;
	bool is_there;

	if (!w->what)
		return 0;
	priority = arena_get(&c->arena, MOUNT_WORDS);
	if (!priority)
		return -ENOMEM;
	if (w->priority_is_set)
		snprintf(priority, MOUNT_WORDS, "%d", w->priority);
	is_there = mount_command(c, MCMD_MOUNT, program,
				 (const char *[MOUNT_WORDS]){"swapon", w->what,
							     w->options ? w->options : "",
							     priority}) &&
		   mount_command(c, MCMD_UNMOUNT, program,
				 (const char *[MOUNT_WORDS]){"swapoff", w->what});
	return is_there ? 0 : -ENOMEM;
}

static int prepare_mount(struct unit_config *c, const char *program)
{
	const struct mount_config *m = c->own->mount;
	static const char *const flags[] = {"", "sloppy", "rwonly", "sloppy,rwonly"};
	const char *mode = mount_mode(c, m->directory_mode);
	const char *type = m->type ? m->type : "", *options = m->options ? m->options : "";
	static const char *const hows[] = {"", "lazy", "force", "lazy,force"};
	bool is_there;

	if (!m->what || !m->where)
		return 0;
	if (!mode)
		return -ENOMEM;
	is_there = mount_command(c, MCMD_MOUNT, program,
				 (const char *[MOUNT_WORDS]){
					 "mount", m->what, m->where, type, options, mode,
					 flags[m->sloppy_options + 2 * m->read_write_only]}) &&
		   mount_command(c, MCMD_UNMOUNT, program,
				 (const char *[MOUNT_WORDS]){
					 "unmount", m->where,
					 hows[m->lazy_unmount + 2 * m->force_unmount]}) &&
		   mount_command(c, MCMD_REMOUNT, program,
				 (const char *[MOUNT_WORDS]){"remount", m->where, options});
	return is_there ? 0 : -ENOMEM;
}

int mount_prepare(struct unit_config *c, const char *program)
{
	if (c->load != LOAD_LOADED)
		return 0;
	return c->own->mount  ? prepare_mount(c, program)
	       : c->own->swap ? prepare_swap(c, program)
			      : 0;
}
