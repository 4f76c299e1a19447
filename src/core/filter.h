/* SPDX-License-Identifier: MIT */
/*
 * filter - what system calls a service may make: programs for seccomp(2), made from names and installed one by one
 * (linked into hark-exec; the kinds are harkd's, too).
 *
 * Calls of another architecture than the machine's own would go past every name, so all filters refuse them. A name
 * that this machine does not have is skipped. The process needs CAP_SYS_ADMIN or no_new_privs.
 */
#pragma once

#include "core/str.h"

/* What one of the small filters forbids, each with EPERM. */
enum filter_kind {
	FILTER_PERSONALITY, /* another personality than this one */
	FILTER_REALTIME,    /* real-time scheduling */
	FILTER_SUID_SGID,   /* files with these bits */
	FILTER_WRITE_EXEC,  /* memory that can be written and executed */
	FILTER_NAMESPACES,  /* namespaces; the argument is the CLONE_NEW* that may be made */
	FILTER_KINDS
};
/* What happens on the calls of a list (and, of a list of those that are allowed, on all others). */
enum filter_list {
	FILTER_ALLOWED, /* these may be made, and those that every process needs */
	FILTER_DENIED,  /* these may not */
	FILTER_LOGGED,  /* these are logged and made */
	FILTER_LISTS
};

/*
 * filter_calls() - a filter by names.
 *
 * @words: "read @file-system ~mknod chown:EPERM": calls and groups; "~": not, whatever stands before; behind a colon
 *         an errno, or "kill"
 * @err:   errno of what is denied, 0: the process is killed
 *
 * 0, -errno of seccomp(2).
 */
MUST_USE int filter_calls(enum filter_list list, const char *words, int err);
/* Group `at` of calls ("@file-system"), NULL behind the last. */
const char *filter_group(unsigned at);
/* Is it a group, or a call of this machine or of one that the groups speak of? */
bool filter_knows(struct str name);
/* Sockets of families by their names ("AF_UNIX AF_INET"): only these, or all but these. 0 or -errno. */
MUST_USE int filter_families(bool is_denied, const char *words);
/* Only calls of these architectures ("native x86"), else the process is killed. 0 or -errno. */
MUST_USE int filter_architectures(const char *words);
MUST_USE int filter_kind(enum filter_kind kind, uint64_t argument);
