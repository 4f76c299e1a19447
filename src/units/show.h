/* SPDX-License-Identifier: MIT */
/*
 * show - members of a configuration as text: the way back from parse, one writer for each kind of value. Pure.
 *
 * What a directive holds is told by its row (directive.h): the member, the kind of its reader, its words. A value that
 * is not set has no text. Lists have one text for each item, or one of all items.
 */
#pragma once

#include "core/str.h"
#include "units/cgroup_config.h"
#include "units/directive.h"

/* Is there a writer for that kind of value? */
bool show_knows(enum parser_kind kind);
/* Append what c holds for that row; nothing when it is not set. Lists: items with a blank between. */
void show_value(const struct directive *d, const struct unit_config *c, struct sbuf *out);
/* The items of a list in c; NULL when it is empty or the row holds no list of texts. */
const struct name_list *show_items(const struct directive *d, const struct unit_config *c);
/* A word for a shell: as it is, or in double quotes when a blank or a character that shells know is in it. */
void show_quoted(const char *word, struct sbuf *out);
/* A time span, in whole seconds when it is longer than one. */
void show_seconds(uint64_t us, struct sbuf *out);
/* "cap_chown cap_kill": the bits of the set that the kernel's numbering has names for. */
void show_capabilities(uint64_t set, struct sbuf *out);
/* "cpu memory": bits 1 << enum cgroup_controller. */
void show_controllers(uint8_t set, struct sbuf *out);
/* "net user": bits 1 << enum namespace_kind. */
void show_namespaces(uint8_t set, struct sbuf *out);
/* "0-3 7" */
void show_numbers(const struct number_set *set, struct sbuf *out);
