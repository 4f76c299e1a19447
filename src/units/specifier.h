/* SPDX-License-Identifier: MIT */
/*
 * specifier - %-specifiers of systemd.unit(5), "Specifiers". Pure: facts about the host are given.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

#include <sys/types.h>

struct specifier_host {
	char machine_id[33], boot_id[33], hostname[65], kernel[65], arch[17];
	char os_id[65], os_version[65], os_build[65], os_image[65], os_image_version[65],
		os_variant[65];                       /* os-release(5) */
	char pretty[65];                              /* PRETTY_HOSTNAME= of machine-info(5) */
	uint64_t memory_pages, page_bytes, tasks_max; /* what a percentage is a part of */
	/* Who runs the manager. A zeroed struct means root with /root and /bin/sh. */
	uid_t uid;
	gid_t gid;
	char group[65], home[256], shell[256];
};
/* Asks the kernel and reads /etc/machine-id, os-release ... below root. Missing facts stay "". */
void specifier_host_read(struct specifier_host *h, const char *root);

struct specifier_context {
	const struct specifier_host *host;
	const char *unit;     /* full name */
	const char *fragment; /* path, may be NULL */
	const char *user;     /* name for %u, NULL: root */
	bool is_user_manager;
};

/* Expand text into arena memory. 0, -ENOMEM, -EINVAL (unknown or unavailable specifier: *ret_at is the index of its %). */
MUST_USE int specifier_expand(const struct specifier_context *c, struct str text,
			      struct arena *arena, char **ret_text, size_t *ret_at);
