/* SPDX-License-Identifier: MIT */
/*
 * accept - Accept=yes: connections are accepted by PID 1 into slots, and each gets a service "name@N-LOCAL-REMOTE.service"
 * (systemd.socket(5)) of its own.
 *
 * The first one is seen by the manager. From then on PID 1 awaits the next one by itself, so that one wake-up of the manager is
 * saved; when more are there than that, they are asked for in batches.
 */
#pragma once

#include "activate/port.h"
#include "units/service.h"

enum { ACCEPT_BATCH = 16 }; /* most ACCEPTs on their way for one listener */

/* Ask PID 1 for up to p->batch connections; none may be on their way. */
void accept_connections(struct socket_port *p);
/* What PID 1 awaits for p is not wanted any more. Who came until it hears that is told of. */
void accept_recall(struct socket_port *p);
/* port.next.fn */
void accept_next(struct task *t);
/* A reply of PID 1 to an ACCEPT or AWAIT: called by the dispatcher of notes. */
void accept_answered(struct hark *h, const struct bank_note *note);
/* An instance of an Accept=yes socket came to rest. */
void accept_instance_gone(struct hark *h, struct service *s);
