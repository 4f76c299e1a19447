/* SPDX-License-Identifier: MIT */
/*
 * compare - the operators of conditions ("<=", "$=" ...) and the order of version strings. Pure.
 */
#pragma once

#include "core/str.h"

/* "==" and its kin compare versions or amounts, "=" and "!=" texts, "$=" shell patterns. */
enum compare {
	CMP_NONE,
	CMP_LE,
	CMP_NE,
	CMP_LT,
	CMP_GE,
	CMP_GT,
	CMP_EQ,
	CMP_NOT_GLOB,
	CMP_GLOB,
	CMP_TEXT_NE,
	CMP_TEXT_EQ
};

/* Cut a leading operator off *s; CMP_NONE when it begins with none. */
enum compare compare_cut_operator(struct str *s);
/* Does `order`, < 0, 0 or > 0 as of memcmp(), satisfy the operator? CMP_NONE is ">=", patterns never hold. */
bool compare_order(enum compare op, int order);
/* Order of two versions as of memcmp(), by the version format of the UAPI group. */
int compare_versions(const char *a, const char *b);
/* Does value satisfy "<operator> wanted"? */
bool compare_text(enum compare op, const char *value, const char *wanted);
