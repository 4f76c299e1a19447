/* SPDX-License-Identifier: MIT */
/*
 * notify - sd_notify(3): one datagram socket per service, so a message is attributed even after its sender was reaped and one
 * unit's flood blocks nobody else. Peek, commit, consume.
 *
 * Understands READY RELOADING STOPPING STATUS ERRNO MAINPID WATCHDOG WATCHDOG_USEC EXTEND_TIMEOUT_USEC FDSTORE FDSTOREREMOVE FDNAME FDPOLL
 * NOTIFYACCESS BARRIER MONOTONIC_USEC. Senders are checked against NotifyAccess= by their pid (SCM_CREDENTIALS).
 */
#pragma once

#include "core/hark.h"
#include "units/service.h"

/* Make (once) the socket at RUN_DIR/notify/UNIT (abstract name when that path is too long), in the bank, watched. 0 or -errno; the
 * address for NOTIFY_SOCKET= is written to out. */
MUST_USE int notify_open(struct hark *h, struct service *s, char *out, size_t cap);
/* The socket and the stored descriptors of an earlier manager, found in the bank. 0 or -errno. */
MUST_USE int notify_adopt(struct hark *h, struct service *s);
void notify_close(struct hark *h, struct service *s);
/* Digest everything that waits in the socket now, so that READY=1 is seen before the sender's exit. */
void notify_drain(struct hark *h, struct service *s);
/* One message, checked and taken apart without system calls: calls set(arg, key, value) for each assignment. For the fuzzer too. 0 or -EBADMSG. */
MUST_USE int notify_parse(struct str message,
			  void (*set)(void *arg, struct str key, struct str value), void *arg);
