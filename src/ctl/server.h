/* SPDX-License-Identifier: MIT */
/*
 * server - the manager's end of the control protocol: one SEQPACKET socket at RUN_DIR/control, peer credentials of the
 * connection, one table of verbs. Reading verbs are for everybody, changing ones for uid 0 (and, in user mode, our own uid).
 *
 * Bounded: connections a uid, request size, output a page; one bad frame closes only its connection. A verb that starts jobs
 * answers when they end, with the reason and the service's last lines when one failed.
 */
#pragma once

#include "core/hark.h"

/* Listen at RUN_DIR/control (a stale socket, file or directory is replaced) and watch. 0 or -errno. */
MUST_USE int server_open(struct hark *h);
void server_close(struct hark *h);
/* From engine_ops: a job ended; what its unit asked for is performed; a unit changed; it is about to be forgotten. */
void server_job_done(struct hark *h, struct unit *u, uint32_t id, enum job_type type,
		     enum job_result result);
void server_performed(struct hark *h, const struct unit *u);
void server_changed(struct hark *h, struct unit *u);
/* Whoever follows is told. */
void server_news(struct hark *h, enum manager_news news);
void server_gone(struct hark *h, const struct unit *u);
