/* SPDX-License-Identifier: MIT */
/*
 * activate/time - arms timers: one timer of the loop for the next time of each unit, on the monotonic clock.
 *
 * Times of calendars are looked up again when somebody sets the clock. When a timer with Persistent=yes elapsed last is the time of change
 * of a file, so that what was missed while the machine was off is done when it is on again. A new manager reckons the next
 * time from what the one before has stored: when the timer was started, and when it elapsed last.
 */
#pragma once

#include "core/hark.h"

extern const struct activator time_activator;
/* Look for steps of the wall clock. 0 or -errno: then calendars are late by a step backward until they are armed again. */
MUST_USE int time_open(struct hark *h);
/* When u, which is a timer, elapses next, of CLOCK_MONOTONIC; TIME_NEVER when it does not wait. */
uint64_t time_next_us(struct unit *u);
