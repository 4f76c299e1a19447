/* SPDX-License-Identifier: MIT */
/*
 * peer - who is waiting in the queue of a listening socket, found without accepting: sock_diag(7), for IP also /proc/net/tcp.
 *
 * For `why` only. Bounded in time and never waits; what cannot be told stays unknown.
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

struct peer {
	char text[48]; /* "10.0.0.7:51344"; for UNIX the command, "curl", or "uid 1000" */
	uid_t uid;     /* of a UNIX client, (uid_t)-1 unknown */
	pid_t pid;     /* of a UNIX client, 0 unknown */
};

/*
 * fd: a listening stream socket. search: for a UNIX client also look for its process among all, newest first, for at most
 * 2 ms. False: nobody waits, or nobody can be told.
 */
bool peer_of_waiting(int fd, bool search, struct peer *ret);
/* One line of /proc/net/tcp or tcp6: a connection to `port` that nobody accepted yet? For tests. */
bool peer_parse_line(const char *line, unsigned port, char *text, size_t cap);
