/* SPDX-License-Identifier: MIT */
/*
 * boot_words - what the kernel's command line asks of this boot: the unit it goes to, units that it takes along or leaves out, how much is
 * logged. kernel-command-line(7). A word of an initrd ("rd.hark.unit=") counts in an initrd only, and none else does there.
 *
 *	emergency -b				emergency.target
 *	rescue single s S 1			rescue.target
 *	2 3 4, 5				multi-user.target, graphical.target
 *	hark.unit=UNIT systemd.unit=		this one
 *	NAME.TYPE hark.start=NAME systemd.wants=	also this unit
 *	-NAME.TYPE hark.skip=NAME systemd.mask=	never this unit
 *	hark.debug_shell systemd.debug_shell	also debug-shell.service
 *	hark.log_level=LEVEL systemd.log_level=, debug	what is logged
 */
#pragma once

#include "core/log.h"
#include "units/kernel_words.h"

enum { BOOT_NAME = 256 };

struct boot_words {
	char unit[BOOT_NAME];   /* "": that which is the default */
	enum log_level most;    /* LOG_LEVELS: nothing is said about it */
	struct boot_unit *list; /* units to take along or to leave out; the later word counts */
	struct arena arena;
};

struct boot_unit {
	struct boot_unit *next;
	bool is_skipped;
	char name[BOOT_NAME];
};

/* Words that ask for something that cannot be are passed over. 0 or -ENOMEM; w is usable in any case, with boot_words_fini(). */
MUST_USE int boot_words_read(struct boot_words *w, struct kernel_words *words, bool in_initrd);
/* Those of this machine. */
MUST_USE int boot_words_get(struct boot_words *w);
void boot_words_fini(struct boot_words *w);
