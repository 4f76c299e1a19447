/* SPDX-License-Identifier: MIT */
/*
 * machine_id - the number by which programs know this installation. machine-id(5)
 */
#pragma once

#include "core/base.h"

/*
 * machine_id_make() - see to it that /etc/machine-id has one.
 *
 * One that is there stays. A new one is that of the D-Bus library, where it has one, or random. On a root that cannot be written it is mounted over
 * the file from /run, and systemd-machine-id-commit.service, where there is one, makes it last once the root can be written.
 *
 * Returns 0 or -errno.
 */
MUST_USE int machine_id_make(void);
