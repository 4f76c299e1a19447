/* SPDX-License-Identifier: MIT */
/*
 * mountns - the mounts of our mount namespace one by one: which came and which went (fanotify(7), FAN_REPORT_MNT, Linux 6.14), which there are
 * (listmount(2)), and what one of them is (statmount(2)). Each costs the same however many there are. Ids are never used again.
 */
#pragma once

#include "core/mountinfo.h"

enum { MOUNTNS_TEXT = 16 * 1024, MOUNTNS_IDS = 512 };

struct mount_change {
	uint64_t id;
	bool has_come, has_gone; /* both: it was moved */
	bool is_lost;            /* more happened than could be told: all have to be listed */
};

/* A descriptor that is readable when mounts have come or gone. -errno: this kernel cannot tell, or we may not know. */
MUST_USE int mountns_watch(void);
/* What has happened, at most `most` changes. Their number, 0 when that was all, -errno. */
MUST_USE int mountns_read(int fd, struct mount_change *changes, unsigned most);
/*
 * mountns_stat() - what that mount is.
 *
 * @text: where the pieces of *ret lie; nothing in them is escaped (ret->is_plain), root and super_options are empty
 *
 * Returns 0, -ENOENT (it is not there any more, or not below our root), -errno.
 */
MUST_USE int mountns_stat(uint64_t id, char text[MOUNTNS_TEXT], struct mount_line *ret);
/*
 * mountns_super_options() - the options of the file system that is mounted there, as the last field of mountinfo ("rw,size=1024k").
 *
 * @text: where the answer lies, escaped as in mountinfo
 *
 * Returns 0, -ENOENT, -errno.
 */
MUST_USE int mountns_super_options(uint64_t id, char text[MOUNTNS_TEXT], struct sbuf *out);
/* Ids of all mounts, the newest first, in portions: *last is 0 at first. Their number, 0 at the end, -errno. */
MUST_USE int mountns_list(uint64_t *last, uint64_t ids[MOUNTNS_IDS]);
