/* SPDX-License-Identifier: MIT */
/*
 * condition - Condition*= and Assert*= of systemd.unit(5). Parsing is pure; testing asks the kernel about files and facts, never
 * triggers an automount (AT_NO_AUTOMOUNT, lstat where it will do) and never blocks.
 */
#pragma once

#include "core/unit.h"
#include "units/specifier.h"

/* Names without the Condition/Assert prefix: "PathExists" ...; index is condition.kind. */
extern const char *const condition_names[];
extern const unsigned condition_names_n;
int condition_kind(struct str name); /* -1: unknown */

/* 1 holds, 0 does not, -errno cannot be told (counts as "does not"). */
MUST_USE int condition_test(const struct condition *c, const struct specifier_host *host);
/*
 * All of a list: every non-trigger line must hold and, when there are '|' lines, at least one of them.
 * asserts: look at Assert lines (true) or Condition lines (false). *ret_failed is the line that decided. 1 or 0.
 */
int condition_test_all(const struct condition *list, bool asserts,
		       const struct specifier_host *host, const struct condition **ret_failed);
