/* SPDX-License-Identifier: MIT */
/*
 * fsm - state machines as tables. Pure.
 *
 * A type's machine is a table cell[state][event]. A zeroed cell means: the event says nothing in this state. classify()
 * of the type has already turned raw facts into the machine's own few events, so a cell holds no condition.
 */
#pragma once

#include "core/base.h"

/* What is visible of a state from outside; the words are those of systemctl: API. */
enum coarse { INACTIVE, ACTIVE, RELOADING, FAILED, ACTIVATING, DEACTIVATING, COARSES };
extern const char *const coarse_names[COARSES];

/*
 * Effects a cell asks for. They are collected while events are digested and run afterwards, in the order of
 * the bits: disarm before kill before spawn before arm. Those of FX_ENTRY belong to the state just entered and are void when it is
 * left before they ran. The timer of a state needs no effect: the engine arms it on entry.
 */
#define EFFECTS(FX)                                                                 \
	FX(WATCHDOG_OFF, "disarm the watchdog")                                     \
	FX(DISARM, "activator: stop watching")                                      \
	FX(DROP, "activator: close and forget the kernel objects")                  \
	FX(KILL_CONTROL, "SIGKILL to the control process")                          \
	FX(KILL_TERM, "the configured kill signal to what KillMode= names")         \
	FX(KILL_WATCHDOG, "the watchdog signal to what KillMode= names")            \
	FX(KILL_ALL, "SIGKILL to what KillMode= names: cgroup.kill")                \
	FX(KILL_FINAL, "the kill signal to leftovers, main and control are gone")   \
	FX(FORGET, "what the run has left goes: its cgroup, runtime directories")   \
	FX(SPAWN_MAIN, "run the next command of ExecStart= as main process")        \
	FX(SPAWN_CONTROL, "run the next command of the list of the new state")      \
	FX(ARM, "activator: make the kernel objects and watch")                     \
	FX(WATCH, "activator: watch again what is already made")                    \
	FX(WATCHDOG_ON, "arm the watchdog")                                         \
	FX(FIND_MAIN, "Type=forking: look for the main process (pid file, cgroup)") \
	FX(RESTART_LATER, "Restart=: enqueue the restart job")                      \
	FX(ACTIVATE, "start the unit that this one triggers")                       \
	FX(PULL, "start what this one wants: it came without a plan for that")      \
	FX(DEACTIVATE, "stop the unit that this one triggers")

enum effect_bit {
#define FX(name, what) FX_BIT_##name,
	EFFECTS(FX)
#undef FX
		EFFECT_BITS
};
enum effect_mask {
#define FX(name, what) FX_##name = 1u << FX_BIT_##name,
	EFFECTS(FX)
#undef FX
};
extern const char *const effect_names[EFFECT_BITS];
enum {
	FX_ENTRY = FX_KILL_TERM | FX_KILL_WATCHDOG | FX_KILL_ALL | FX_KILL_FINAL | FX_SPAWN_MAIN |
		   FX_SPAWN_CONTROL | FX_ARM | FX_WATCH | FX_WATCHDOG_ON | FX_FIND_MAIN,
	FX_REQUESTS = FX_RESTART_LATER | FX_ACTIVATE | FX_PULL |
		      FX_DEACTIVATE, /* answered by the engine itself */
};

struct fsm_cell {
	uint8_t go;  /* new state + 1; 0: the event is ignored here */
	uint32_t fx; /* enum effect_mask */
};

struct fsm_state {
	const char *name; /* sub-state: API, the words of systemctl */
	enum coarse coarse;
	uint8_t commands;     /* which command list runs here (type's own enum), 0 none */
	uint8_t timeout;      /* which configured timeout bounds it (type's own enum), 0 none */
	bool is_between_runs; /* nothing runs: a start begins a new run, as from rest */
};

struct fsm {
	const char *type;
	unsigned states_n, events_n;
	const struct fsm_state *states;
	const char *const *events;
	const struct fsm_cell *cells; /* [states_n][events_n] */
};

/* The cell, or NULL when the event is ignored in that state. */
static inline const struct fsm_cell *fsm_cell(const struct fsm *f, unsigned state, unsigned event)
{
	const struct fsm_cell *c = &f->cells[state * f->events_n + event];

	return c->go ? c : NULL;
}
/* Name of the state by number, "?" when out of range; number of a name or -1. */
const char *fsm_state_name(const struct fsm *f, unsigned state);
int fsm_state_by_name(const struct fsm *f, const char *name);
