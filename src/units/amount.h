/* SPDX-License-Identifier: MIT */
/*
 * amount - readers of shares and rates, and names of errors; with value.h, whose rules they follow. Pure.
 */
#pragma once

#include "core/str.h"

enum { PERCENT_UNITS = 10000 }; /* of a whole: a percent has 100 */

/* "12.5" (percent) to 1250; two digits of a fraction count. most: in the same units. 0, -EINVAL, -ERANGE. */
MUST_USE int amount_percent(struct str s, uint32_t most, uint32_t *ret_units);
/* As amount_percent() with a percent sign at the end. */
MUST_USE int amount_share(struct str s, uint32_t most, uint32_t *ret_units);
/* A number with K M G T P E of base 1000; "infinity" is UINT64_MAX. */
MUST_USE int amount_rate(struct str s, uint64_t *ret);
/* "0x7f", "7f". */
MUST_USE int amount_hex(struct str s, uint64_t *ret);
/* "4.7M" of base 1024: how much it is for people. */
void amount_show(uint64_t n, struct sbuf *out);
/* "EPERM" or its number, 1 to 4095. */
MUST_USE int amount_errno(struct str s, int *ret);
/* NULL when it has no name. */
const char *amount_errno_name(int number);
