/* SPDX-License-Identifier: MIT */
/*
 * wire - records of the control protocol: a frame of type-length-value fields on a SEQPACKET unix socket.
 *
 * A frame is one packet of at most WIRE_FRAME bytes: u16 magic, u16 kind, u32 request id, then fields
 * {u16 tag, u16 flags, u32 length, bytes}. Values may hold any bytes. A reader skips tags it does not know; a frame that
 * does not add up is refused whole. The meaning of kinds and tags lives in ctl/verb.h.
 */
#pragma once

#include "core/buf.h"

#include <sys/socket.h>
#include <sys/types.h>

enum { WIRE_FRAME = 16 * 1024, WIRE_MAGIC = 0x6b68 };

struct wire_out {
	struct wbuf w;
	char bytes[WIRE_FRAME];
};

struct wire_in {
	struct rbuf r;
	uint16_t kind;
	uint32_t request;
	char bytes[WIRE_FRAME];
};

/* Start a frame; what was in it is forgotten. o must stay where it is until it is sent. */
void wire_begin(struct wire_out *o, uint16_t kind, uint32_t request);
/* Adds a field; false when it does not fit (the frame stays as it was, send it and begin the next). */
bool wire_put(struct wire_out *o, uint16_t tag, struct str value);
bool wire_put_u64(struct wire_out *o, uint16_t tag, uint64_t value);

/* One packet. 0, -EAGAIN (would block), -EPIPE, -ECONNRESET ... Never raises SIGPIPE. */
MUST_USE int wire_send(int fd, const struct wire_out *o);
/* One packet, checked as a frame. 0, -EAGAIN, -ECONNRESET (end), -EBADMSG (not a frame). */
MUST_USE int wire_recv(int fd, struct wire_in *in);
/* Check bytes already in in->bytes[0..n); for tests and the fuzzer. 0 or -EBADMSG. */
MUST_USE int wire_parse(struct wire_in *in, size_t n);
/* Next field; false at the end. */
bool wire_next(struct wire_in *in, uint16_t *ret_tag, struct str *ret_value);
/* Value of a field written by wire_put_u64, 0 when the length is not 8. */
uint64_t wire_u64(struct str value);

/* Listening, non-blocking SEQPACKET socket at path: removes a stale socket, file or empty directory there, makes
 * parents (0755), mode applied. Descriptor, -EADDRINUSE (somebody serves it) or -errno. unix(7). */
MUST_USE int wire_listen(const char *path, mode_t mode);
/* Connected descriptor or -errno (-ENOENT, -ECONNREFUSED: nobody there). */
MUST_USE int wire_connect(const char *path);
/* SO_PEERCRED of a connection. 0 or -errno. */
MUST_USE int wire_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);
