/* SPDX-License-Identifier: MIT */
/*
 * accept - Accept=yes: connections are accepted by PID 1 into slots, and each gets a service "name@N-LOCAL-REMOTE.service"
 * (systemd.socket(5)) of its own.
 */
#pragma once

#include "activate/port.h"
#include "units/service.h"

enum { ACCEPT_BATCH = 16 }; /* most ACCEPTs on their way for one listener */

/* Ask PID 1 for up to p->batch connections; none may be on their way. */
void accept_connections(struct socket_port *p);
/* A reply of PID 1 to an ACCEPT: called by the dispatcher of notes. */
void accept_answered(struct hark *h, const struct bank_note *note);
/* An instance of an Accept=yes socket came to rest. */
void accept_instance_gone(struct hark *h, struct service *s);
