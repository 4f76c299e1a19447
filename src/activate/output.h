/* SPDX-License-Identifier: MIT */
/*
 * output - the pipe behind StandardOutput=journal of a unit while no collector runs: its last lines are kept for status and
 * failures, and each line is copied to /dev/kmsg when hark is PID 1.
 *
 * The bank has it in one slot, opened for reading and writing: whoever dies, the pipe has its reader and its writer. It is
 * what processes get. The manager reads from an opening of its own, which has the slot's number in its process.
 */
#pragma once

#include "core/hark.h"
#include "units/exec_config.h"

enum { OUTPUT_LINES = 16, OUTPUT_BYTES = 2048 };

/* Make (once) the pipe, leave it in the bank, and watch it. Returns its slot or -errno. */
MUST_USE int output_open(struct hark *h, struct unit *u);
/* Found again after a takeover: its slot is set. 0 or -errno. */
MUST_USE int output_adopt(struct hark *h, struct unit *u);
/* Read what is there now (before a failure is reported). */
void output_drain(struct hark *h, struct unit *u);
/* Nobody writes any more: read the rest, close, drop the slot; the lines stay, those of the next run come behind them. */
void output_end(struct hark *h, struct unit *u);
/* Close, drop the slot, forget the lines. */
void output_close(struct hark *h, struct unit *u);

/* A line: its bytes are the service's own, escape them when displaying. */
struct output_at {
	uint64_t number; /* counted from 0 on, also those that are forgotten */
	struct str line; /* borrowed until more is read */
	uint64_t wall_us;
};
/*
 * The oldest kept line that is not older than at->number. partial: the last one also when it has not ended. False: there is none.
 */
bool output_next(const struct unit *u, bool partial, struct output_at *at);
