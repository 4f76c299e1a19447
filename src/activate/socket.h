/* SPDX-License-Identifier: MIT */
/*
 * activate/socket - makes, stores and watches the listeners of socket units.
 *
 * A listener is made, bound, handed to PID 1 which calls listen(2) as one operation with storing it; then it is watched. Accept=no: the first
 * readiness triggers and watching pauses until the service is at rest. Accept=yes: PID 1 accepts into a slot, an instance
 * "name@N-LOCAL-REMOTE.service" (systemd.socket(5)) is created for the connection and started.
 */
#pragma once

#include "core/hark.h"
#include "units/service.h"
#include "units/socket.h"

enum { ACCEPT_BATCH = 16 }; /* most ACCEPTs on their way for one listener */

struct socket_port {
	struct watch watch;
	struct timer retry; /* out of descriptors, slots or memory: look again later, never spin */
	uint64_t retry_us;
	struct socket_unit *owner;
	const struct listener *listener;
	struct hark *hark;
	uint32_t slot;  /* bank slot + 1 */
	bool is_wanted; /* watch() was called, disarm() not yet */
	bool was_triggered;
	struct task learn;      /* who connected */
	uint64_t trigger_entry; /* of the ledger */
	/* Accept=yes */
	uint8_t asked_n; /* ACCEPTs on their way */
	uint8_t batch;   /* how many are sent at the next readiness */
	int accept_err;  /* worst answer of the batch */
};

extern const struct activator socket_activator;

/* A reply of PID 1 to an ACCEPT: called by the dispatcher of notes. */
void socket_accepted(struct hark *h, const struct bank_note *note);
/* An instance of an Accept=yes socket came to rest. */
void socket_instance_gone(struct hark *h, struct service *s);
