/* SPDX-License-Identifier: MIT */
/*
 * nodes - devices where nobody tells of them: a device is there while its node is.
 *
 * What is looked at are nodes that somebody waits for and nodes that were found. In /dev the directories on the way to them are watched, by one
 * inotify instance that is open as long as there is such a node; below /sys, of which inotify tells nothing, a timer looks.
 */
#pragma once

#include "core/hark.h"

/* Before any unit is loaded; the search path is known. */
void nodes_open(struct hark *h);
/* After a takeover, when it is known whether anybody tells: which devices are still there. */
void nodes_take_over(struct hark *h);
