/* SPDX-License-Identifier: MIT */
/*
 * value - readers of single values: booleans, time spans, sizes, modes, signals, enumerations, exit sets. Pure.
 *
 * Each takes the whole trimmed value, returns 0 or -EINVAL / -ERANGE and writes only on success. value_suggest() finds what was meant.
 */
#pragma once

#include "core/str.h"

/* 1 yes y true t on, 0 no n false f off; case does not matter. */
MUST_USE int value_bool(struct str s, bool *ret);
/* systemd.time(7): "5min 20s", plain numbers are default_unit_us; "infinity" is TIME_NEVER. Result in microseconds. */
MUST_USE int value_span(struct str s, uint64_t default_unit_us, uint64_t *ret_us);
/* Bytes with K M G T P E (base 1024); "infinity" is UINT64_MAX. */
MUST_USE int value_size(struct str s, uint64_t *ret_bytes);
/* Octal mode <= 07777. */
MUST_USE int value_mode(struct str s, uint32_t *ret_mode);
MUST_USE int value_u32(struct str s, uint32_t *ret);
MUST_USE int value_int(struct str s, int min, int max, int *ret);
/* "SIGTERM", "TERM", "15", "RTMIN+3". */
MUST_USE int value_signal(struct str s, int *ret);
const char *value_signal_name(int sig); /* "SIGTERM", static; "?" */
/* Index of the word in names[0..n), or -EINVAL. NULL entries are passed over. */
MUST_USE int value_enum(struct str s, const char *const *names, unsigned n, unsigned *ret);
/* RLIMIT value: "infinity", "soft:hard", with time or size suffix depending on resource. */
MUST_USE int value_limit(struct str s, int resource, uint64_t *ret_soft, uint64_t *ret_hard);
/* systemd's names of exit codes ("EXEC" 203 ...) and of signals, or a number 0..255: *ret_is_signal tells. */
MUST_USE int value_exit(struct str s, int *ret_value, bool *ret_is_signal);
/* The name of a status by which a process ends that could not be set up (systemd.exec(5): 203 "EXEC" ...), or NULL. */
const char *value_setup_name(int status);
/* Name of a capability (cap_net_admin ...) to its number, kernel's numbering. */
MUST_USE int value_capability(struct str s, unsigned *ret_cap);
/* Its name in small letters; NULL behind the last one. */
const char *value_capability_name(unsigned cap);
/* "0-3,5 7" into a mask of n bytes. */
MUST_USE int value_cpus(struct str s, unsigned char *mask, size_t n);
/* Nearest of names[0..n) at edit distance <= 2 (or same in other case, or common prefix), or NULL. */
const char *value_suggest(struct str s, const char *const *names, unsigned n);
const char *value_suggest_signal(struct str s);
const char *value_suggest_capability(struct str s);
/* "1h 2min 3.5s" as systemd prints it ("infinity" for TIME_NEVER, "0" for 0). Bytes written. */
size_t value_format_span(uint64_t us, char *out, size_t cap);
