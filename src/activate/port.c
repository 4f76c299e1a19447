/* SPDX-License-Identifier: MIT */
#include "activate/port.h"

#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "core/log.h"

#define RETRY_FIRST_US (3 * US_PER_MS)
#define RETRY_LAST_US US_PER_SEC
#define PEER_REST_US (50 * US_PER_MS)
#define REST_US (100 * US_PER_MS)
/* By edges: until PID 1 has called listen(2) a stream socket is hung up, and a level would be told again and again. */
#define READABLE ((uint32_t)EPOLLIN | (uint32_t)EPOLLET)

/* --- watching --- */

void port_silence(struct socket_port *p)
{
	loop_timer_disarm(&p->hark->loop, &p->retry);
	if (p->watch.is_on && loop_rewatch(&p->hark->loop, &p->watch, 0) < 0)
		loop_unwatch(&p->hark->loop,
			     &p->watch); /* cannot be: the descriptor is registered */
}

void port_look_again_later(struct socket_port *p)
{
	port_silence(p); /* its return is the second look */
	p->retry_us = p->retry_us ? p->retry_us * 2 : RETRY_FIRST_US;
	if (p->retry_us > RETRY_LAST_US)
		p->retry_us = RETRY_LAST_US;
	loop_timer_arm(&p->hark->loop, &p->retry,
		       time_add(loop_now_us(&p->hark->loop), p->retry_us));
}

void port_listen_again(struct socket_port *p)
{
	if (!p->is_wanted)
		return;
	if (!p->watch.is_on || loop_rewatch(&p->hark->loop, &p->watch, READABLE) < 0)
		port_look_again_later(p);
}

void port_on_retry(struct timer *t)
{
	port_listen_again(container_of(t, struct socket_port, retry));
}

/* --- limits --- */

unsigned port_polls_left(struct socket_port *p)
{
	const struct socket_config *c = port_config(p->owner);
	uint64_t now_us = loop_now_us(&p->hark->loop);

	if (!c->poll_limit_interval_us || !c->poll_limit_burst)
		return UINT_MAX;
	if (!p->poll_begin_us || now_us - p->poll_begin_us >= c->poll_limit_interval_us) {
		p->poll_begin_us = now_us;
		p->polls_n = 0;
	}
	return c->poll_limit_burst > p->polls_n ? c->poll_limit_burst - p->polls_n : 0;
}

void port_rest(struct socket_port *p)
{
	uint64_t least_us = time_add(loop_now_us(&p->hark->loop), REST_US);
	uint64_t due_us = time_add(p->poll_begin_us, port_config(p->owner)->poll_limit_interval_us);

	port_silence(p);
	loop_timer_arm(&p->hark->loop, &p->retry, due_us > least_us ? due_us : least_us);
}

bool port_is_over_limit(struct socket_unit *k, uint64_t now_us)
{
	const struct socket_config *c = port_config(k);

	return limit_is_over(&k->trigger_begin_us, &k->trigger_count, now_us,
			     c->trigger_limit_interval_us, c->trigger_limit_burst);
}

void port_fail_by_limit(struct hark *h, struct socket_unit *k)
{
	log_at(LOG_ERROR,
	       "%s: triggered more than %u times in %llu ms (TriggerLimitBurst=); the unit is failed",
	       k->unit.name, port_config(k)->trigger_limit_burst,
	       (unsigned long long)(port_config(k)->trigger_limit_interval_us / US_PER_MS));
	k->result = SRES_TRIGGER_LIMIT;
	engine_post_simple(&h->engine, &k->unit, EV_ARM_FAILED, ECANCELED, 0, 0);
}

/* --- what is told of it --- */

bool port_may_look_up(struct hark *h)
{
	uint64_t now_us = loop_now_us(&h->loop);

	if (now_us < h->peer_us)
		return false;
	h->peer_us = now_us + PEER_REST_US;
	return true;
}
