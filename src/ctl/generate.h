/* SPDX-License-Identifier: MIT */
/*
 * generate - units that a program makes from other files before units are read: hark-fstab.service has hark-mount turn /etc/fstab into units,
 * in the directory "generator" of the run dir. It is a service like any other: bounded by its timeout, and `status` shows what it said.
 */
#pragma once

#include "core/hark.h"

/* Add the directory to the search path, unless it is there by default. 0 or -ENOMEM. */
MUST_USE int generate_open(struct hark *h);
/*
 * generate_begin() - run it.
 *
 * @type: JOB_START, or JOB_RESTART when what a run that goes on has read may be old
 * @done: called when it has ended, however it fared, and what it made was read; NULL: generate.is_going tells, and the caller reads
 *
 * False: there is nothing to run, and done is not called.
 */
bool generate_begin(struct hark *h, enum job_type type, void (*done)(struct hark *h));
/* From engine_ops: a job has ended. */
void generate_job_done(struct hark *h, const struct unit *u);
/* Where there are many unit files: write them down for the next boot (units/unit_cache.h), behind the present turn of the loop. */
void generate_cache(struct hark *h);
