/* SPDX-License-Identifier: MIT */
/*
 * property_live - properties of timers, paths and cgroups: what they wait for, and what the kernel counts of them; when conditions were looked at.
 */
#pragma once

#include "core/hark.h"
#include "ctl/reply.h"

/* The fields of u that are wanted. only: "Name,Name" or NULL for all. Figures that the kernel does not have have no field. */
void property_live(struct reply *r, struct hark *h, struct unit *u, const char *only);
/* The figure of a file of u's cgroup; key: of the line, NULL: the first. False: there is none. */
bool property_usage(struct hark *h, const struct unit *u, const char *file, const char *key,
		    uint64_t *ret);
/* Is the name one of the list "Name,Name"? NULL: every one is. */
bool property_is_wanted(const char *only, const char *name);
/* Name of the property at `at`, NULL at the end. For tests. */
const char *property_live_name(unsigned at);
