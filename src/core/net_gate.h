/* SPDX-License-Identifier: MIT */
/*
 * net_gate - which addresses and network interfaces the processes of a cgroup may speak with, which ports they may bind, and
 * how much they have said: IPAddressAllow=, IPAddressDeny=, RestrictNetworkInterfaces=, SocketBindAllow=, SocketBindDeny=,
 * IPAccounting=. systemd.resource-control(5)
 *
 * A service has the lists of addresses of its slices together with its own: what any of them allows passes whatever
 * another denies. Interfaces and ports must be allowed by each of them that says something of these.
 */
#pragma once

#include "units/cgroup_config.h"

enum { NET_GATE_LEVELS = 16 }; /* most slices, one in the other, that are looked at */

/* What is said of one cgroup: its own settings, and above them those of its slices. */
struct net_rules {
	const struct cgroup_config *levels[NET_GATE_LEVELS];
	unsigned n;
	const char *missing; /* out: an interface that is not there, or NULL */
};

/* Do they say anything of the network? */
bool net_gate_is_wanted(const struct cgroup_config *g);
/*
 * net_gate_set() - put programs for these rules into the place of those that were there.
 *
 * @dir:      the cgroup, borrowed
 * @is_inner: a slice: what lies in it has its rules, too; only the counters are its own
 * @salt:     of this run of the unit: the counters begin anew with another one
 *
 * Returns 0 or -errno of bpf(2): -EPERM, -ENOSYS where the kernel or our privileges have no such thing.
 */
MUST_USE int net_gate_set(struct net_rules *rules, int dir, bool is_inner, uint32_t salt);
/* Everything is allowed again, nothing is counted. */
void net_gate_drop(int dir);

struct net_count {
	uint64_t packets, bytes;
};
/* What was received (or sent) since the unit was started. 0, -ENOENT: it is not counted, -errno. */
MUST_USE int net_gate_count(int dir, bool is_sent, struct net_count *ret);
