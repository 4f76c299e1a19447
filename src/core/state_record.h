/* SPDX-License-Identifier: MIT */
/*
 * state_record - what is remembered of a unit, of its words and of the manager: the bodies of the state table (state.h), and their
 * description for another hark (state_form.h). A field may be added, moved, widened or taken away; its name is what another hark
 * knows it by, as are the words behind its numbers.
 */
#pragma once

#include "core/ledger.h"
#include "core/state_form.h"
#include "core/unit.h"

enum { STATE_REMOTE = 64, STATE_STATUS = 940 };
/* Names lie in rooms of that many bytes, so that the name of a released slot gives its place to another. */
enum { STATE_ROOM = 32 };

/* What is remembered of a unit. Zero bytes mean: at rest, nothing known. Times are of CLOCK_MONOTONIC, 0: never. */
struct state_unit {
	uint64_t main_token, control_token; /* of the bank slots below */
	uint64_t state_us, active_enter_us, active_exit_us, inactive_enter_us, inactive_exit_us;
	uint64_t timer_us;       /* when the state times out */
	uint64_t watchdog_us;    /* when the watchdog bites */
	uint64_t watchdog_every; /* WATCHDOG_USEC=, microseconds; 0: as configured */
	uint64_t why_entry, job_entry;
	uint64_t job_begin_us;
	uint64_t limit_begin_us; /* start limit */
	uint64_t
		trigger_begin_us; /* trigger limit of a socket or path; of an automount: until when it refuses */
	uint64_t last_us, last_wall_us; /* when a timer elapsed last, on both clocks */
	uint8_t invocation[16];
	uint32_t fx; /* effects (enum effect_mask) that are not known to be done */
	uint32_t job;
	uint32_t limit_count, trigger_count; /* of an automount: failures in a row */
	uint32_t n_activations, n_restarts, n_accepted;
	uint32_t socket_unit; /* reference of the Accept=yes socket */
	int32_t next_main;    /* pid named by MAINPID=, not yet taken over */
	int32_t exit_status;  /* of an automount: errno for whoever waits, 0 not yet */
	uint32_t request;     /* of an automount: the token for which its mount was asked last */
	uint16_t main_slot, control_slot, notify_slot, out_slot, conn_slot; /* of the bank, + 1 */
	uint16_t flags;                                                     /* STATE_* */
	uint8_t state, type, result, reload_result;
	uint8_t job_type, job_cause;
	uint8_t command_at, main_at, last_job_result, exit_code;
};
#define STATE_FLAGS(FLAG)         \
	FLAG(READY, 0)            \
	FLAG(MAIN_KNOWN, 1)       \
	FLAG(FORBID_RESTART, 2)   \
	FLAG(JOB_RUNNING, 3)      \
	FLAG(JOB_IRREVERSIBLE, 4) \
	FLAG(JOB_UNORDERED, 5)    \
	FLAG(EXITED_EARLY, 6)     \
	FLAG(IS_RELOADING, 7)     \
	FLAG(EXITED_CLEAN, 8)     \
	FLAG(HAS_TEXT, 9)         \
	FLAG(IS_PRESENT, 10)      \
	FLAG(NEEDS_RELOAD, 11)    \
	FLAG(NEEDS_RESTART, 12)   \
	FLAG(CGROUP_KILLED, 13)
enum {
#define FLAG(name, bit) STATE_##name = 1 << (bit),
	STATE_FLAGS(FLAG)
#undef FLAG
};

/* What is remembered of the manager itself. */
struct state_manager {
	uint8_t did_boot; /* the default unit was asked for */
	uint8_t is_ending;
	uint8_t no_watchdogs;  /* those of services are not heeded */
	uint8_t log_level_set; /* enum log_level + 1; 0: nobody has set one */
	uint8_t log_target;    /* enum log_target */
	int32_t final_command, exit_code;
	uint64_t ready_us;
	uint64_t looked_us;
};

/* Words of a unit, written in place: a text torn by a death is no text. */
struct state_text {
	uint32_t sum; /* of the name and what follows */
	int32_t status_errno;
	char remote[STATE_REMOTE];
	char status[STATE_STATUS];
};

/* Describe them and the ledger's entries in a zeroed form. */
void state_record_form(struct state_form *f);
