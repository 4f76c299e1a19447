/* SPDX-License-Identifier: MIT */
/*
 * exec_credentials - secrets for a service as files in a directory of its own (linked into hark-exec). systemd.exec(5), "Credentials"
 *
 * Root owns them; the user of the service may read them, by an access control list, and nobody else may do anything. Each
 * is written beside its place and then put there, so a process that reads while another one starts finds the old or the new one.
 */
#pragma once

#include "core/plan.h"

enum credential_kind {
	CREDENTIAL_SET,      /* the bytes are in the plan */
	CREDENTIAL_LOAD,     /* from a file, a directory or a UNIX socket */
	CREDENTIAL_OPTIONAL, /* the same, and it may be missing */
};

/* The steps CREDENTIALS (the directory) and CREDENTIAL (one of them, after it). 0 or -errno. */
MUST_USE int exec_credentials_open(const struct plan_record *rec);
MUST_USE int exec_credentials_put(const struct plan_record *rec);
