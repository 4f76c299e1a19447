/* SPDX-License-Identifier: MIT */
/*
 * describe_user - whose rights a process gets: User=, Group= and SupplementaryGroups= looked up in /etc/passwd and
 * /etc/group, and the sentence that says why something cannot be.
 *
 * A name that stands in neither file is an error where no other source of names is configured, else hark-exec asks NSS.
 */
#pragma once

#include "core/unit.h"
#include "units/exec_config.h"
#include "units/users.h"

enum { GROUPS_MOST = 256 };

struct excuse {
	uint8_t exit; /* code of systemd.exec(5), 0: none fits */
	char *why;    /* owned, or NULL */
};
void excuse_set(struct excuse *e, uint8_t exit_code, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct identity {
	uid_t dynamic_uid; /* in: of User=, and of Group= of the same name; 0: those are looked up */
	struct user_entry user; /* name NULL: nobody else's. Texts in the arena */
	gid_t gid;
	bool has_gid;
	bool by_nss; /* only hark-exec can find out */
	uint64_t groups[GROUPS_MOST];
	unsigned groups_n;
	bool has_groups;
};

/* Reads the two files; changes nothing. who: zeroed but for what goes in. 0, or -ESRCH or another -errno with *excuse set. */
MUST_USE int identity_find(struct identity *who, const struct unit *u, const struct exec_config *e,
			   struct arena *arena, struct excuse *excuse);
