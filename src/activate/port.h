/* SPDX-License-Identifier: MIT */
/*
 * port - one listener of a socket unit, as the manager waits at it: when it is looked at, how often, and what is told of it.
 *
 * What a wake-up means is socket.c's (Accept=no) or accept.c's (Accept=yes).
 */
#pragma once

#include "core/hark.h"
#include "units/socket.h"

struct socket_port {
	struct watch watch;
	struct timer
		retry; /* out of descriptors, slots or memory, or woken too often: look again later, never spin */
	uint64_t retry_us;
	uint64_t poll_begin_us; /* PollLimit window */
	uint32_t polls_n;       /* wake-ups, or connections asked for, in it */
	struct socket_unit *owner;
	const struct listener *listener;
	struct hark *hark;
	uint32_t slot;  /* bank slot + 1 */
	bool is_wanted; /* watch() was called, disarm() not yet */
	bool was_triggered;
	struct task learn;      /* who connected */
	uint64_t trigger_entry; /* of the ledger */
	/* Accept=yes */
	uint8_t asked_n;  /* ACCEPTs on their way, or the AWAIT */
	uint8_t batch;    /* how many are sent at the next readiness */
	int accept_err;   /* worst answer of the batch */
	uint32_t waiter;  /* slot + 1 in which PID 1 awaits the next connection; 0: none */
	struct task next; /* it came: await another */
};

static inline const struct socket_config *port_config(const struct socket_unit *k)
{
	return k->unit.config->socket;
}

/* Hear nothing of it. */
void port_silence(struct socket_port *p);
/* Hear of what waits and what comes, if it is wanted. */
void port_listen_again(struct socket_port *p);
/* Silent now, and listening again after a while that doubles each time. */
void port_look_again_later(struct socket_port *p);
/* port.retry.fn */
void port_on_retry(struct timer *t);
/* PollLimitIntervalSec=, PollLimitBurst=: how many wake-ups or connections may be looked at now; whoever does counts them in polls_n. */
unsigned port_polls_left(struct socket_port *p);
/* Silent until the window of the poll limit is over, and for a moment if it is. */
void port_rest(struct socket_port *p);

/* TriggerLimitIntervalSec=, TriggerLimitBurst=, one start more counted: a service that fails at once would be started for ever. */
bool port_is_over_limit(struct socket_unit *k, uint64_t now_us);
void port_fail_by_limit(struct hark *h, struct socket_unit *k);

/* May the kernel be asked now who is there? In a burst the first is looked up; the rest would cost more than they tell. */
bool port_may_look_up(struct hark *h);
