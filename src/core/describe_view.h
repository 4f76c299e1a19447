/* SPDX-License-Identifier: MIT */
/*
 * describe_view - what a service is to see of the file system, from its hardening settings to the steps of its plan.
 *
 * ProtectSystem=, ReadOnlyPaths=, PrivateDevices=, BindPaths= and their like each become views (view.h), which hark-exec puts
 * together; a unit that asks for none of them stays in the namespace of all. The other namespaces are asked for here, too.
 */
#pragma once

#include "core/buf.h"
#include "core/hark.h"

/* Appends the steps. root: what the process will see as "/", NULL: what is it now. */
void describe_view(const struct hark *h, const struct unit *u, const char *root, struct wbuf *plan);
/*
 * The name below /tmp and /var/tmp of what a unit with PrivateTmp= sees there, "" where it has none. It is that of systemd,
 * which the rules of systemd-tmpfiles spare; the invocation is in it, so it is new for each run.
 */
void describe_private_tmp(const struct hark *h, const struct unit *u, char *out, size_t cap);
