/* SPDX-License-Identifier: MIT */
/*
 * instance - what an accepted connection is called: the instance part of its unit's name as systemd.socket(5) has it, and the peer in
 * words. Pure but for the command name of a local peer.
 */
#pragma once

#include "core/bank_client.h"
#include "core/str.h"

struct connection_name {
	char instance[160]; /* "7-10.0.0.1:22-10.0.0.7:51344", "7-1234-1000" */
	char remote
		[56]; /* for people: "10.0.0.7:51344", "curl[1234] of uid 1000", "[1234] of uid 1000" */
	char addr[46];   /* REMOTE_ADDR=, "" for UNIX */
	char port[6];    /* REMOTE_PORT= */
	char source[46]; /* who counts as one by MaxConnectionsPerSource=: address, or "uid 1000" */
};

/*
 * nr: how many connections the socket has had before. note: the reply to ACCEPT. ask_comm: may the kernel be asked for a local
 * peer's command name?
 */
void connection_name(uint32_t nr, const struct bank_note *note, bool ask_comm,
		     struct connection_name *ret);
/* Address and port of what connection_name() gave as remote; empty when it is no address. */
void connection_address(struct str remote, struct connection_name *ret);
