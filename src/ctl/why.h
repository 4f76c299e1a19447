/* SPDX-License-Identifier: MIT */
/*
 * why - from the ledger and the graph to the story of a unit in plain words: who or what started it, what that followed from, and
 * why it keeps running; or why it does not run. Pure: reads memory only.
 */
#pragma once

#include "core/hark.h"
#include "ctl/reply.h"
#include "units/exec_config.h"

/* REASON(name, word): exactly one of them is true of a unit at a time. API */
#define WHY_REASONS_LIST(REASON)           \
	REASON(NOT_RUNNING, "not-running") \
	REASON(EXPLICIT, "explicit")       \
	REASON(ACTIVATED, "activated-by")  \
	REASON(DEPENDENCY, "dependency-of")
enum why_reason {
#define REASON(name, word) WHY_##name,
	WHY_REASONS_LIST(REASON)
#undef REASON
		WHY_REASONS
};
extern const char *const why_reason_names[WHY_REASONS];

enum { WHY_CHAIN = 32, WHY_TEXT = 192 };

/* One link of the chain. */
struct why_link {
	const struct ledger_entry *entry;
	const char *unit;    /* what it is about; borrowed from the table of names */
	const char *from;    /* the unit it came from, or NULL */
	char text[WHY_TEXT]; /* "ssh.service was started: a peer connected (10.0.0.7:51344)" */
};

/* The chain that begins at entry seq, newest first; returns how many links (<= max). Ends where the ring was overwritten. */
unsigned why_chain(const struct state_table *t, uint64_t seq, struct why_link *links, unsigned max);
/* The one reason of a unit. *ret_by: id of the unit that is the trigger or the dependant, or UNIT_NONE. */
enum why_reason why_reason(const struct registry *r, const struct state_table *t,
			   const struct unit *u, uint32_t *ret_by);
/* Active units that hold it: require, want, uphold or are bound to it. Walk with *at from 0; NULL at the end. */
const struct unit *why_next_ref(const struct registry *r, const struct unit *u, uint32_t *at,
				enum dep_type *ret_type);
/* How a process ended, from its code and status: "exit status 3", "killed by SIGSEGV (core dumped)". Returns out. */
const char *why_exit_words(const struct proc_ref *p, char *out, size_t cap);
/* Is this an entry at which a run of the unit began? */
bool why_is_start(const struct ledger_entry *e);

/* Why it does not run (or did not start), in one sentence; empty when there is nothing to say. file:line of the cause if known. */
void why_down(const struct registry *r, const struct unit *u, struct sbuf *text,
	      const char **ret_file, uint32_t *ret_line);
/* The same as fields "reason", "file", "line", "result", "code", "status" of the open row. */
void why_down_fields(struct reply *reply, const struct registry *r, const struct unit *u);
/* Field "waits_for": the first unit whose job must end before that of u; items "after": the numbers of all such jobs. */
void why_blocker_fields(struct reply *reply, const struct registry *r, const struct unit *u);
