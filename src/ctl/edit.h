/* SPDX-License-Identifier: MIT */
/*
 * edit - units changed with the administrator's editor: a copy outside of the unit directories is edited, checked, and put in its place
 * in one step. What has errors is not taken, and stays where it was edited.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/file_work.h"
#include "ctl/screen.h"

/*
 * edit_units() - one after the other, each in a drop-in of its own, or with --full in a copy of its file.
 *
 * @w: opened, with the names; --runtime of it says where the files go
 * @ret_any: whether a file was written, so that the manager is to read it
 *
 * Waits for the editor. Returns the exit status: 0, 1 (no editor, or a file that cannot be written), 5 (no such unit), 6 (errors in it).
 */
MUST_USE int edit_units(struct screen *s, const struct question *q, struct file_work *w,
			bool *ret_any);
