/* SPDX-License-Identifier: MIT */
/*
 * stored - descriptors that a service has left with us (FDSTORE=1): they lie in the bank, under "UNIT/store=NAME" where their hang-up is watched,
 * else under "UNIT/kept=NAME", and so outlive any manager.
 */
#pragma once

#include "core/hark.h"
#include "units/service.h"

struct stored_fd {
	struct stored_fd *next;
	uint32_t slot; /* bank slot + 1 */
	char name[48];
	struct watch watch; /* of its hang-up, after which nobody wants it; on unless FDPOLL=0 */
	struct hark *hark;
	struct service *service;
};

/* Keep a copy of fd under that name, unless it is kept already. 0, -ENOBUFS (FileDescriptorStoreMax=), -errno. */
MUST_USE int stored_keep(struct hark *h, struct service *s, int fd, struct str name,
			 bool is_polled);
/* Give up those of that name. */
void stored_drop(struct service *s, struct str name);
void stored_drop_all(struct service *s);
/* Bank slots and names of at most `max`; returns how many. */
unsigned stored_list(const struct service *s, int32_t *slots, const char **names, unsigned max);
/* Those that an earlier manager left in the bank. 0 or -errno. */
MUST_USE int stored_adopt(struct hark *h, struct service *s);
