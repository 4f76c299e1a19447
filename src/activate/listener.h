/* SPDX-License-Identifier: MIT */
/*
 * listener - one line of [Socket] as a kernel object: made, set up, bound, owned and with the mode it shall have.
 *
 * Not listening yet: that is PID 1's, as one operation with keeping it. Descriptors are blocking (the service's NonBlocking=
 * is about them); nobody reads them here.
 */
#pragma once

#include "units/socket.h"

/*
 * listener_open() - make one.
 *
 * @unit: name, for messages about options that the kernel refuses: those are left out, as systemd does
 *
 * A stale socket or FIFO at the path is replaced, anything else there is not touched. Returns the descriptor, or -errno with
 * *ret_why an owned sentence that begins with file:line (NULL when memory is short).
 */
MUST_USE int listener_open(const char *unit, const struct listener *l,
			   const struct socket_config *c, char **ret_why);
/* Does it take connections, so that PID 1 has to listen(2)? */
bool listener_is_stream(const struct listener *l);
/* The path in the file system it occupies, or NULL. */
const char *listener_path(const struct listener *l);
/* Symlinks= to its path; a wrong link there is replaced. */
void listener_link(const char *unit, const struct listener *l, const struct socket_config *c);
/* RemoveOnStop=: path and links go. */
void listener_remove(const struct listener *l, const struct socket_config *c);
/* Room for datagrams that wait for a service (net.unix.max_dgram_qlen, 10 by default). Once, before the first UNIX socket. */
void listener_tune_kernel(void);
