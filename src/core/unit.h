/* SPDX-License-Identifier: MIT */
/*
 * unit - the object everything is about: its identity, its configuration, its state, its one job, and the registry.
 *
 * A unit is created as a stub when somebody mentions its name, gets a configuration when it is first needed, and is
 * referred to by id everywhere (ids are never reused while the registry lives). `config` is an immutable generation in one arena:
 * a reload makes a new one and swaps the pointer. Only the engine writes `state` and `job` (lint: writers).
 */
#pragma once

#include "core/cause.h"
#include "core/diag.h"
#include "core/event.h"
#include "core/fsm.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/pool.h"

#include <sys/types.h>

#define UNIT_NONE UINT32_MAX
enum { UNIT_NAME_MAX = 255, UNITS_MAX = 131072 };

/* TYPE(name, suffix) */
#define UNIT_TYPES_LIST(TYPE)        \
	TYPE(SERVICE, "service")     \
	TYPE(SOCKET, "socket")       \
	TYPE(TARGET, "target")       \
	TYPE(DEVICE, "device")       \
	TYPE(MOUNT, "mount")         \
	TYPE(AUTOMOUNT, "automount") \
	TYPE(SWAP, "swap")           \
	TYPE(TIMER, "timer")         \
	TYPE(PATH, "path")           \
	TYPE(SLICE, "slice")         \
	TYPE(SCOPE, "scope")         \
	TYPE(BUSNAME, "busname")
enum unit_type {
#define TYPE(name, suffix) UNIT_##name,
	UNIT_TYPES_LIST(TYPE)
#undef TYPE
		UNIT_TYPES
};
extern const char *const unit_type_names[UNIT_TYPES];
/* Type by the text behind the last dot, or -1. */
int unit_type_of(const char *name);

/* LOAD(name, word): API */
#define LOAD_STATES_LIST(LOAD)       \
	LOAD(STUB, "stub")           \
	LOAD(LOADED, "loaded")       \
	LOAD(NOT_FOUND, "not-found") \
	LOAD(BAD, "bad-setting")     \
	LOAD(ERROR, "error")         \
	LOAD(MASKED, "masked")
enum load_state {
#define LOAD(name, word) LOAD_##name,
	LOAD_STATES_LIST(LOAD)
#undef LOAD
		LOAD_STATES
};
extern const char *const load_state_names[LOAD_STATES];

/*
 * DEP(forward, inverse, word, inverse word): pairs, so that the inverse of a type is type ^ 1.
 */
#define DEPS_LIST(DEP)                                                                          \
	DEP(REQUIRES, REQUIRED_BY, "Requires", "RequiredBy")                                    \
	DEP(REQUISITE, REQUISITE_OF, "Requisite", "RequisiteOf")                                \
	DEP(WANTS, WANTED_BY, "Wants", "WantedBy")                                              \
	DEP(BINDS_TO, BOUND_BY, "BindsTo", "BoundBy")                                           \
	DEP(PART_OF, CONSISTS_OF, "PartOf", "ConsistsOf")                                       \
	DEP(UPHOLDS, UPHELD_BY, "Upholds", "UpheldBy")                                          \
	DEP(CONFLICTS, CONFLICTED_BY, "Conflicts", "ConflictedBy")                              \
	DEP(BEFORE, AFTER, "Before", "After")                                                   \
	DEP(ON_FAILURE, ON_FAILURE_OF, "OnFailure", "OnFailureOf")                              \
	DEP(ON_SUCCESS, ON_SUCCESS_OF, "OnSuccess", "OnSuccessOf")                              \
	DEP(TRIGGERS, TRIGGERED_BY, "Triggers", "TriggeredBy")                                  \
	DEP(PROPAGATES_RELOAD_TO, RELOAD_PROPAGATED_FROM, "PropagatesReloadTo",                 \
	    "ReloadPropagatedFrom")                                                             \
	DEP(PROPAGATES_STOP_TO, STOP_PROPAGATED_FROM, "PropagatesStopTo", "StopPropagatedFrom") \
	DEP(JOINS_NAMESPACE_OF, NAMESPACE_JOINED_BY, "JoinsNamespaceOf", "NamespaceJoinedBy")   \
	DEP(IN_SLICE, SLICE_OF, "InSlice", "SliceOf")                                           \
	DEP(REFERENCES, REFERENCED_BY, "References", "ReferencedBy")
enum dep_type {
#define DEP(a, b, wa, wb) DEP_##a, DEP_##b,
	DEPS_LIST(DEP)
#undef DEP
		DEP_TYPES
};
extern const char *const dep_names[DEP_TYPES];
static inline enum dep_type dep_inverse(enum dep_type t)
{
	return (enum dep_type)((unsigned)t ^ 1u);
}

/* Where a dependency comes from; the higher, the sooner it is dropped to break an ordering cycle. */
enum dep_origin {
	DEP_FILE,     /* a line or a link says it */
	DEP_SETTING,  /* what another line says needs it */
	DEP_IMPLICIT, /* what the unit is needs it */
	DEP_MOUNT,    /* usual for what a mount unit says */
	DEP_PATH,     /* a path of the unit lies on that mount */
	DEP_DEFAULT,  /* usual for its type: DefaultDependencies= */
	DEP_ORIGINS
};

/* As written in a configuration: by name. In the arena of the configuration. */
struct dep {
	struct dep *next;
	const char *name;
	const char *file; /* NULL: not from a file */
	uint32_t line;
	uint8_t type;   /* enum dep_type */
	uint8_t origin; /* enum dep_origin */
};

/* As used by the model: by id, on both units (the inverse on the other one). */
struct edge {
	uint32_t to;
	uint32_t mirror; /* index of the inverse record in the edges of the unit `to` */
	uint32_t line;
	uint8_t type;
	uint8_t origin;
	bool is_broken : 1; /* ordering edge dropped to break a cycle */
	bool is_own : 1; /* written by the unit that holds this record; the mirror says the opposite */
	uint8_t file;    /* of the unit that wrote it: graph_file() */
};

enum collect_mode { COLLECT_INACTIVE, COLLECT_INACTIVE_OR_FAILED };

/* One Condition*= or Assert*= line; kinds live in units/condition. */
struct condition {
	struct condition *next;
	const char *parameter;
	const char *file;
	uint32_t line;
	uint8_t kind;
	bool is_assert, is_trigger /* '|' */, is_negated /* '!' */;
};

struct name_list { /* strings in an arena */
	struct name_list *next;
	const char *text;
	const char *file;
	uint32_t line;
};

struct command;
struct exec_config;
struct cgroup_config;
struct sandbox;
struct service_config;
struct socket_config;
struct timer_config;
struct path_config;
struct scope_config;
struct mount_config;
struct automount_config;
struct swap_config;

/*
 * What [Unit] and [Install] say and many units say alike. What is not shared by it points into the arena of its own unit.
 */
struct unit_settings {
	struct name_list *documentation;
	const char *source_path;
	struct condition *conditions;
	struct name_list *requires_mounts_for;
	uint64_t start_limit_interval_us;
	uint64_t job_timeout_us, job_running_timeout_us;
	const char *reboot_argument, *job_timeout_reboot_argument;
	/* [Install] */
	struct name_list *wanted_by, *required_by, *upheld_by, *alias, *also;
	const char *default_instance;
	uint32_t start_limit_burst;
	int failure_exit_status, success_exit_status; /* -1: not set */
	bool default_dependencies, stop_when_unneeded, refuse_manual_start, refuse_manual_stop,
		allow_isolate;
	bool ignore_on_isolate, ignore_on_snapshot, survive_final_kill;
	uint8_t collect;                                  /* enum collect_mode */
	uint8_t on_failure_job_mode, on_success_job_mode; /* enum job_mode */
	uint8_t failure_action, success_action, start_limit_action,
		job_timeout_action; /* enum emergency_action */
};

/* What few units have or say: the part of a rare type, and settings that most leave alone. */
struct unit_own {
	struct timer_config *timer; /* NULL when the type has none, as those below */
	struct path_config *path;
	struct scope_config *scope;
	struct mount_config *mount;
	struct automount_config *automount;
	struct swap_config *swap;
	struct cgroup_config *cgroup; /* NULL: nothing said, cgroup_config_of() */
	struct sandbox *sandbox;      /* NULL: nothing said, sandbox_of() */
	struct name_list *refusals;   /* "DynamicUser= cannot be done ...": loaded, never started */
	struct name_list *notes;      /* "accepted and not enforced: ..." shown in status */
};

/* Everything the files of one unit say. Immutable once loaded; owned by the unit. It lies in its own arena. */
struct unit_config {
	struct arena arena;
	struct diag_list diags;
	uint8_t load;   /* enum load_state */
	bool has_parts; /* unit, exec, service and socket are of share_new(); else borrowed */
	bool has_install, slice_is_set; /* by [Install], by Slice= */
	bool is_present; /* its file lies where presence is enablement; or lay there, and is gone */
	bool is_perpetual; /* always there: the root slice, the root mount */
	bool is_private; /* others may not read one of its files: what they say is not told them either */
	const char *name;     /* canonical */
	const char *instance; /* of a template, or NULL */
	const char *fragment; /* path of the main file, NULL when there is none */
	uint64_t fragment_mtime_us;
	uint64_t files_stamp;      /* of inode, size and mtime of all files read: load_is_stale() */
	struct name_list *dropins; /* paths in order of use */
	const char *description;
	struct dep *deps;
	const char
		*slice; /* name of the slice the unit's cgroup lies in, "system.slice" by default */
	struct command *commands; /* of all lists of its type, in order: command_first() */
	struct unit_settings
		*unit; /* shared with units that say the same: never changed once loaded */
	struct exec_config *exec;       /* the same; NULL when the type has none, as those below */
	struct service_config *service; /* the same */
	struct socket_config *socket;   /* the same */
	const struct unit_own *own;     /* never NULL; written by unit_config_own() */
};
/* A copy of that one, whose arena is empty, or with NULL one of zeroed settings of its own; it lies in its own arena. NULL without memory. */
MUST_USE struct unit_config *unit_config_new(const struct unit_config *from);
void unit_config_free(struct unit_config *c);
/* c->own to be written to: made in the arena when it has none yet. NULL without memory. */
MUST_USE struct unit_own *unit_config_own(struct unit_config *c);

enum emergency_action {
	ACTION_NONE,
	ACTION_REBOOT,
	ACTION_REBOOT_FORCE,
	ACTION_REBOOT_IMMEDIATE,
	ACTION_POWEROFF,
	ACTION_POWEROFF_FORCE,
	ACTION_POWEROFF_IMMEDIATE,
	ACTION_EXIT,
	ACTION_EXIT_FORCE,
	EMERGENCY_ACTIONS
};

/* JOB(name, word): API */
#define JOB_TYPES_LIST(JOB)             \
	JOB(NONE, "none")               \
	JOB(START, "start")             \
	JOB(VERIFY, "verify-active")    \
	JOB(STOP, "stop")               \
	JOB(RELOAD, "reload")           \
	JOB(RESTART, "restart")         \
	JOB(TRY_RESTART, "try-restart") \
	JOB(TRY_RELOAD, "try-reload")   \
	JOB(RELOAD_OR_START, "reload-or-start")
enum job_type {
#define JOB(name, word) JOB_##name,
	JOB_TYPES_LIST(JOB)
#undef JOB
		JOB_TYPES
};
extern const char *const job_type_names[JOB_TYPES];

/* RESULT(name, word): API */
#define JOB_RESULTS_LIST(RESULT)         \
	RESULT(DONE, "done")             \
	RESULT(CANCELED, "canceled")     \
	RESULT(TIMEOUT, "timeout")       \
	RESULT(FAILED, "failed")         \
	RESULT(DEPENDENCY, "dependency") \
	RESULT(SKIPPED, "skipped")       \
	RESULT(INVALID, "invalid")       \
	RESULT(ASSERT, "assert")         \
	RESULT(UNSUPPORTED, "unsupported")
enum job_result {
#define RESULT(name, word) JOB_RES_##name,
	JOB_RESULTS_LIST(RESULT)
#undef RESULT
		JOB_RESULTS
};
extern const char *const job_result_names[JOB_RESULTS];

/* The one job a unit may have; its place is there from the beginning, so installing it cannot fail. */
struct job {
	uint32_t id;     /* 0: none */
	uint8_t type;    /* enum job_type; never a collapsing type once installed */
	bool is_running; /* its event was given to the unit; false: waits for its order */
	bool is_irreversible, ignores_order;
	bool is_counted;    /* by the engine, since it was first installed */
	uint8_t after_stop; /* RESTART: JOB_START to follow */
	uint64_t begin_us;
	struct cause_ref cause;
	struct list run_node; /* in the engine's run queue */
};

/* What a unit may wait for; its one timer is set to the earliest of them. */
enum unit_due {
	DUE_STATE,    /* its state lasts no longer */
	DUE_JOB,      /* its job is given up: JobTimeoutSec= */
	DUE_WATCHDOG, /* WATCHDOG=1 is overdue */
	DUE_PID_FILE, /* a forking service: to look for its pid file again */
	DUE_AGAIN,    /* effects are tried again: engine_try_again() */
	UNIT_DUES
};

struct unit;

/*
 * What goes on with a unit, apart from what it is: all zero while nothing does, so that it takes memory only of units with which something
 * does (registry_rest()).
 */
struct unit_work {
	struct unit *unit; /* set by unit_work(), for what is linked or armed below */
	struct job job;
	struct engine *engine;      /* whose timer it is */
	struct timer timer;         /* engine_arm() */
	uint64_t due_us[UNIT_DUES]; /* CLOCK_MONOTONIC; 0: not waited for */
	uint32_t pending_fx;        /* effects collected, not yet run */
	uint32_t running_fx;        /* effects that are being run now and not done */
	uint32_t again_fx;          /* effects that will be tried again (DUE_AGAIN) */
	struct list fx_node;        /* in the engine's effect queue */
	struct list retire_node;    /* in the engine's list of units that may be dropped */
	struct list touch_node;     /* in the engine's list of units to be stored */
};

struct unit_type_ops;

/* What a unit is marked with, for a later restart of all that are. */
enum { UNIT_NEEDS_RELOAD = 1, UNIT_NEEDS_RESTART = 2 };

struct unit {
	uint32_t id;
	uint8_t type;            /* enum unit_type */
	uint8_t state;           /* of the type's fsm; 0 is "dead" for every type */
	uint8_t markers;         /* UNIT_NEEDS_*, said by somebody; the unit at rest has none */
	bool is_changed_on_disk; /* reload marked it as changed on disk */
	bool has_perpetual;      /* always active: slices, "-.mount" */
	bool is_cgroup_gone;     /* removed since the last process was started */
	bool is_cgroup_killed;  /* ... or killed, all of it at once: no process may be made in it */
	bool waits_for_process; /* none could be made when it was tried last */
	uint8_t last_job_result;
	uint8_t condition_result; /* 0 not looked at, 1 yes, 2 no */
	bool is_unclean;          /* the last removal of its directories by `clean` failed */
	int events_wd;            /* inotify watch on its cgroup.events + 1, 0 none */
	uint32_t visit;           /* scratch of graph walks: generation last seen */
	const char *name;         /* owned by the registry */
	const struct unit_type_ops *ops;
	struct unit_config *config; /* NULL: stub */
	struct edge *edges;
	uint32_t edges_n, edges_cap;
	struct unit_work *work; /* never NULL */
	uint64_t state_us, active_enter_us, active_exit_us, inactive_enter_us,
		inactive_exit_us; /* CLOCK_MONOTONIC, 0 never */
	uint64_t why_entry;       /* ledger entry that led to the present (or last) activation */
	uint64_t start_limit_begin_us;
	uint32_t start_limit_count;
	uint32_t n_activations;
	uint64_t condition_us;
	const struct condition *condition_failed; /* the line that said no; borrowed from config */
	const char *
		status_note; /* static text shown in status: "counts as ready at its exec ..." or NULL */
	uint8_t invocation[16]; /* zero: never started */
	uint32_t plan_at;       /* scratch of planning and attaching; 0 at all other times */
	uint32_t state_slot;    /* index in the state table + 1, 0 none */
};

/* u->work, that something of it may be linked or armed. */
static inline struct unit_work *unit_work(struct unit *u)
{
	u->work->unit = u;
	return u->work;
}

/* What a type is. One const per type, listed in main.c only. */
struct unit_type_ops {
	enum unit_type type;
	size_t object_size; /* of the struct that begins with struct unit */
	const struct fsm *fsm;
	/* Pure: raw event to the machine's own event, or -1 when it says nothing. May update counters of the object. */
	int (*classify)(struct unit *u, const struct event *e);
	/* Pure, called when the state has changed: the event that follows from having entered it (NOTHING to run, restart or not ...), or EV_NONE. */
	enum event_kind (*entered)(struct unit *u);
	/* May a start be tried at all? 0, or > 0 enum job_result. NULL: always. */
	int (*can_start)(struct unit *u);
	bool is_outside; /* its state is not ours to change: no job stops it */
	bool hears_up; /* is told when what it triggers is up, not only when that leaves its rest */
	bool (*can_reload)(const struct unit *u);
	bool (*reload_failed)(const struct unit *u); /* the last one; NULL: never */
	/* Result word of the last run ("success", "exit-code" ...). */
	const char *(*result)(const struct unit *u);
	void (*reset)(struct unit *u); /* reset-failed: result and counters */
	uint64_t (*timeout_us)(
		const struct unit *u,
		uint8_t which); /* length of the timeout named by fsm_state.timeout */
	void (*fini)(
		struct unit
			*u); /* releases what the object holds besides struct unit; NULL: nothing */
};

/* A file says what it is; not a table of the kernel, and it is not built in. */
static inline bool unit_config_has_file(const struct unit_config *c)
{
	return c->fragment && c->fragment[0] != '(';
}

static inline enum coarse unit_coarse(const struct unit *u)
{
	return u->ops->fsm->states[u->state].coarse;
}
static inline bool unit_is_active(const struct unit *u)
{
	enum coarse c = unit_coarse(u);

	return c == ACTIVE || c == RELOADING;
}
static inline bool unit_is_at_rest(const struct unit *u)
{
	enum coarse c = unit_coarse(u);

	return c == INACTIVE || c == FAILED;
}
/* The words people see; static or owned by the unit, never NULL. */
const char *unit_substate(const struct unit *u);
enum { UNIT_RUN_TEXT = 33 };
/* Its invocation in hexadecimal digits. */
void unit_run_text(const struct unit *u, char out[UNIT_RUN_TEXT]);
/* LOAD_STUB while nobody needed its files. */
enum load_state unit_load_state(const struct unit *u);
/* Description=, or the name. */
const char *unit_description(const struct unit *u);

/* --- registry --- */
struct registry {
	struct unit **units; /* by id; NULL: dropped */
	uint32_t n, cap;
	struct map names;  /* struct name_entry: every name and alias */
	struct pool works; /* struct unit_work of each unit */
	const struct unit_type_ops *ops[UNIT_TYPES];
	/* Resolves an alias by the index of unit files; returns the canonical name or NULL. Set by main. */
	const char *(*canonical)(void *arg, const char *name);
	void *canonical_arg;
	uint32_t visit; /* generation of graph walks */
};

/* May a unit be called so: 1..255 allowed characters, and a suffix of a type that this registry has? */
bool unit_name_check(const struct registry *r, const char *name);
MUST_USE int registry_init(struct registry *r, const struct unit_type_ops *const *types,
			   unsigned n);
void registry_fini(struct registry *r);
/* The unit of that name (alias resolved), created as a stub when new. NULL: -ENOMEM, bad name or unknown type (see unit_name_check). */
struct unit *registry_get(struct registry *r, const char *name);
/* The unit if it is known, or NULL. */
struct unit *registry_find(const struct registry *r, const char *name);
static inline struct unit *registry_unit(const struct registry *r, uint32_t id)
{
	return id < r->n ? r->units[id] : NULL;
}
/* Give the memory back of what goes on with units with which nothing does. */
void registry_rest(struct registry *r);
/* Forget a unit: its edges (both ways) must be gone, it must be at rest without a job. */
void registry_drop(struct registry *r, struct unit *u);
