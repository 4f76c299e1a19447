/* SPDX-License-Identifier: MIT */
/*
 * activator - what watches the kernel on behalf of a unit: one exported const per kind.
 *
 * arm() makes the kernel objects (or finds them in the bank) and puts them into the bank; watch() listens for the
 * first demand; a demand ends the watching (no spin) and posts TRIGGER with its cause. All are called by effects only.
 * What a kind has no use for is NULL: drop when its machine never asks for it, fds and refuse when nobody hands descriptors on.
 */
#pragma once

#include "core/unit.h"

struct hark;

struct activator {
	enum unit_type type;
	/* 0, or -errno with *ret_why an owned sentence (file:line included) or NULL. Posts nothing: the caller posts ARMED/ARM_FAILED. */
	int (*arm)(struct hark *h, struct unit *u, char **ret_why);
	void (*watch)(struct hark *h, struct unit *u);
	void (*disarm)(struct hark *h, struct unit *u);
	/* Close and forget the kernel objects, remove what was made in the file system when the unit says so. */
	void (*drop)(struct hark *h, struct unit *u);
	/* Bank slots that the triggered unit inherits, in order, with their names. Returns how many (<= max). */
	unsigned (*fds)(struct hark *h, struct unit *u, int32_t *slots, const char **names,
			unsigned max);
	/* The demand cannot be met (start failed, masked): answer the waiters, start a hold-off. */
	void (*refuse)(struct hark *h, struct unit *u, int err);
};
